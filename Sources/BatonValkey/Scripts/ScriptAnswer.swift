// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

/// A script's answer: a word, the server's time, and what belongs to the word.
///
/// Reading it gives nil for what no script of ours answers.
struct ScriptAnswer {
    let word: String
    /// When the server gave it.
    var time: ServerTime
    var serverTime: Int64 { time.microseconds }
    private let parts: [Reply]

    /// What a server's clock may say, in microseconds: anything until the year 36812.
    private static let times = Int64(0)..<(1 << 40) * 1_000_000
    /// Fences and counts: what is beyond would overflow before long, or was made up.
    private static let counts = 0...AcquireRequest.FenceRequest.largest

    init?(_ reply: Reply) {
        guard
            let parts = reply.elements, parts.count >= 2, let word = parts[0].text, let time = parts[1].number,
            Self.times.contains(time)
        else { return nil }
        self.word = word
        self.parts = parts
        self.time = ServerTime(microseconds: time)
    }

    /// What follows the word and the time; `null` past the end.
    private subscript(index: Int) -> Reply { index + 2 < parts.endIndex ? parts[index + 2] : .null }

    func acquireReply(to request: AcquireRequest) throws(LockError) -> Stamped<AcquireReply>? {
        guard let reply = try reply(to: request) else { return nil }
        return Stamped(reply, at: time)
    }

    private func reply(to request: AcquireRequest) throws(LockError) -> AcquireReply? {
        switch word {
        case "granted":
            guard let fence = self[0].number, let failures = self[1].number,
                Self.counts.contains(fence), Self.counts.contains(failures)
            else { return nil }
            return .granted(.init(fence: request.fence == nil ? nil : fence, failures: Int(failures)))
        case "held":
            guard let left = self[0].number else { return nil }
            return .held(Self.sighting(ttl: left, owner: self[1].bytes, fence: self[2].number))
        case "orphaned":
            return .orphaned(Self.sighting(ttl: -1, owner: self[0].bytes, fence: self[1].number))
        case "unsettled":
            guard let nonce = self[0].bytes, let wait = self[1].number else { return nil }
            return .unsettled(nonce: nonce, wait: .milliseconds(wait))
        case "marked":
            return mark(0).map { .marked($0) }
        case "ledger":
            // Nobody who claims nothing is told so.
            if request.claim == nil { return nil }
            return ledgerView().map { .ledger($0) }
        case "late": return .late
        case "spent": throw LockError(.refused, "the fence is the largest number there is, and cannot grow")
        case "misfit":
            guard let theirs = self[0].number else { return nil }
            throw LockError(
                .refused,
                """
                the store was set up with max_lock_timeout = \(Duration.milliseconds(theirs)), this node is configured \
                with \(request.guarding?.maxLockTimeout ?? .zero): they must be the same. To change it, stop every \
                batond that uses the store and delete the key \
                \(printable(String(decoding: request.keys.epoch, as: UTF8.self)))
                """)
        default: return nil
        }
    }

    func renewReply() throws(LockError) -> Stamped<RenewReply>? {
        switch word {
        case "renewed":
            guard let left = self[0].number, left > 0 else { return nil }
            return Stamped(.renewed(timeToLive: .milliseconds(left)), at: time)
        case "lost": return Stamped(.lost, at: time)
        case "unsettled": return Stamped(.unsettled, at: time)
        case "nothing": throw LockError(.refused, "nothing would be left of the lock's time")
        case "excess":
            guard let most = self[0].number else { return nil }
            throw LockError(.refused, "the lock would outlive the store's max_lock_timeout, \(most) ms")
        default: return nil
        }
    }

    func wasReleased() -> Bool? {
        switch word {
        case "released": true
        case "foreign": false
        default: nil
        }
    }

    func view() -> LockView? {
        guard word == "seen", let left = self[1].number else { return nil }
        return LockView(
            token: self[0].bytes, timeToLive: left < 0 ? nil : .milliseconds(left), holder: self[3].bytes,
            holderToken: self[2].bytes, fence: self[4].number ?? 0, mark: mark(5))
    }

    /// The view of a lock with its ledger.
    func viewWithLedger() -> LockView? {
        guard var view = view(), let ledger = ledger(from: 9) else { return nil }
        view.ledger = ledger
        return view
    }

    func ledgerView() -> LedgerView? { word == "ledger" ? ledger(from: 0) : nil }

    func asked() -> LedgerView.Asked? {
        guard word == "asked", let id = self[0].number, Self.counts.contains(id), let by = self[1].text else {
            return nil
        }
        return LedgerView.Asked(id: id, by: by)
    }

    func lines() -> [Bytes]? {
        guard word == "lines", let lines = self[0].elements else { return nil }
        let read = lines.compactMap(\.bytes)
        return read.count == lines.count ? read : nil
    }

    /// The ledger whose nine parts begin there.
    private func ledger(from first: Int) -> LedgerView? {
        var view = LedgerView()
        if let id = self[first + 7].number, Self.counts.contains(id), let by = self[first + 8].text {
            view.asked = LedgerView.Asked(id: id, by: by)
        }
        if self[first] == .null { return view }
        guard let tick = self[first].number, let attempt = self[first + 1].number, let fence = self[first + 3].number,
            let changed = self[first + 4].number, let info = self[first + 6].bytes
        else { return nil }
        let entry = LedgerEntry(
            tick: tick, attempt: Int(attempt), manual: self[first + 2].number, fence: fence, changed: changed,
            outcome: self[first + 5].bytes, info: info)
        view.entry = entry
        return entry.isSound ? view : nil
    }

    func wasMarked() -> Void? { word == "done" ? () : nil }

    func wasRestored() -> Bool? {
        switch word {
        case "done": true
        case "known": false
        default: nil
        }
    }

    func registerReply() -> RegisterReply? {
        switch word {
        case "registered": .registered
        case "unknown": .unknown
        case "taken": self[0].text.map { .taken(instance: $0) }
        default: nil
        }
    }

    func wasUnregistered() -> Bool? {
        switch word {
        case "gone": true
        case "foreign": false
        default: nil
        }
    }

    func nodeNames() -> [String]? {
        guard word == "names", let text = self[0].text else { return nil }
        return text.split(separator: "\n").map(String.init)
    }

    /// The mark whose four parts begin there; nil when there is none.
    private func mark(_ first: Int) -> Mark? {
        guard let kind = self[first].text else { return nil }
        return Mark(
            // A kind that this version does not know holds the job down: nothing starts by a misunderstanding.
            kind: Mark.Kind(rawValue: kind) ?? .heldDown, remaining: self[first + 1].number.map { .microseconds($0) },
            failures: Int(Self.believed(self[first + 2].number)), by: self[first + 3].text ?? "")
    }

    /// What a waiter learns; the lease's length is the second part of the owner record.
    static func sighting(ttl: Int64, owner: Bytes?, fence: Int64?) -> Sighting {
        let parts = owner?.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
        let timeout = parts.flatMap { $0.count == 3 ? Int64(String(decoding: $0[1], as: UTF8.self)) : nil }
        return Sighting(
            timeToLive: ttl < 0 ? nil : .milliseconds(ttl), owner: owner, timeout: timeout.map { .milliseconds($0) },
            fence: believed(fence))
    }

    /// A fence or count that anybody may have written; 0 when it is none.
    private static func believed(_ number: Int64?) -> Int64 {
        guard let number, counts.contains(number) else { return 0 }
        return number
    }
}
