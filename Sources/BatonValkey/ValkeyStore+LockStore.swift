// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

public import BatonCore
public import BatonLock
import NIOCore

extension ValkeyStore: LockStore {
    /// One attempt to be granted a lock. A plain request is the seed's `SET NX`, and leaves nothing but the lock.
    public func acquire(_ request: AcquireRequest, timeout: Duration) async throws(LockError) -> Stamped<AcquireReply> {
        let ttl = try request.timeout.map { length throws(LockError) in try Self.timeToLive(length, request.keys) }
        if request.isPlain { return try await acquirePlainly(request, ttl: ttl, timeout: timeout) }
        let guarding = request.guarding
        if let guarding {
            guard let length = request.timeout, length <= guarding.maxLockTimeout else {
                throw request.keys.error(.invalidArgument, "a guarded lock's timeout is at most max_lock_timeout")
            }
        }
        let floor = request.fence?.floor ?? 0
        guard (0...Self.largestFence).contains(floor) else {
            throw request.keys.error(.invalidArgument, "a fence's floor is from 0 to \(Self.largestFence)")
        }
        let answer = try await run(
            .acquire, on: request.keys.all,
            [
                request.token, Self.flag(request.tokenIsFresh), Self.text(ttl), Self.text(request.notAfter),
                Self.flag(guarding != nil), guarding?.nonce ?? [], guarding?.claim ?? [],
                Self.text(guarding.map { Self.roundedUp($0.maxLockTimeout) }), Self.random(),
                Self.flag(request.fence != nil), Self.text(floor), Self.flag(request.holder != nil),
                request.holder ?? [], Self.flag(request.heedsMarks),
            ], timeout: timeout)

        switch answer.word {
        case "granted":
            let fence = request.fence == nil ? nil : try answer.number(0)
            return answer.stamped(.granted(.init(fence: fence, failures: Int(try answer.number(1)))))
        case "held":
            return answer.stamped(
                .held(Self.sighting(ttl: try answer.number(0), owner: answer[1].bytes, fence: answer[2].number)))
        case "orphaned":
            return answer.stamped(.orphaned(Self.sighting(ttl: -1, owner: answer[0].bytes, fence: answer[1].number)))
        case "unsettled":
            guard let nonce = answer[0].bytes else { throw answer.nonsense() }
            return answer.stamped(.unsettled(nonce: nonce, wait: .milliseconds(try answer.number(1))))
        case "marked":
            guard let mark = Self.mark(answer[0], answer[1], answer[2], answer[3]) else { throw answer.nonsense() }
            return answer.stamped(.marked(mark))
        case "late": return answer.stamped(.late)
        case "misfit":
            let theirs = Duration.milliseconds(try answer.number(0))
            throw LockError(
                .refused,
                """
                the store was set up with max_lock_timeout = \(theirs), this node is configured with \
                \(guarding?.maxLockTimeout ?? .zero): they must be the same. To change it, stop every batond that uses \
                the store and delete the key \(printable(String(decoding: request.keys.epoch, as: UTF8.self)))
                """)
        default: throw answer.nonsense()
        }
    }

    /// What valkey-py sends, and in the same round trip what a `held` reply needs.
    private func acquirePlainly(
        _ request: AcquireRequest, ttl: Int64?, timeout: Duration
    ) async throws(LockError) -> Stamped<AcquireReply> {
        let key = request.keys.lock
        var set = [Self.text("SET"), key, request.token, Self.text("NX")]
        if let ttl { set += [Self.text("PX"), Self.text(ttl)] }
        let replies = try await exchange(
            about: key, [set, [Self.text("PTTL"), key], [Self.text("TIME")]], timeout: timeout)
        // The TIME is a formality here; a user without the right to ask for it still gets the lock's truth.
        let time = replies[2].elements.map { parts in
            (parts.first?.number ?? 0) * 1_000_000 + (parts.last?.number ?? 0)
        }
        if let time { heard(serverTime: time) }
        let reply: AcquireReply =
            switch replies[0] {
            case .string: .granted(.init(fence: nil))
            case .null: .held(Self.sighting(ttl: replies[1].number ?? -1, owner: nil, fence: 0))
            default: throw nonsense()
            }
        return Stamped(reply, serverTime: time ?? serverTime() ?? 0)
    }

    /// Sets the TTL of a held lock again, extends it, puts it back, or swaps its token.
    public func renew(_ request: RenewRequest, timeout: Duration) async throws(LockError) -> Stamped<RenewReply> {
        let amount =
            switch request.change {
            case .reset(let length): try Self.timeToLive(length, request.keys)
            case .add(let more): more.milliseconds
            }
        guard (0...Self.largestFence).contains(request.fence), abs(amount) <= Self.longest else {
            throw request.keys.error(.invalidArgument, "a fence or a duration is out of range")
        }
        let isAdding = if case .add = request.change { true } else { false }
        let holder = request.successor?.holder ?? request.holder
        let needsCompanions = request.guarding != nil || request.fence != 0 || holder != nil
        let answer = try await run(
            .renew, on: needsCompanions ? request.keys.all : [request.keys.lock],
            [
                request.token, Self.text(isAdding ? "add" : "reset"), Self.text(amount), Self.text(request.notAfter),
                Self.flag(request.guarding != nil),
                Self.text(request.guarding.map { Self.roundedUp($0.maxLockTimeout) }),
                Self.random(), Self.text(request.fence), request.successor?.token ?? [],
                Self.flag(holder != nil), holder ?? [],
            ], timeout: timeout)

        switch answer.word {
        case "renewed": return answer.stamped(.renewed(timeToLive: .milliseconds(try answer.number(0))))
        case "lost": return answer.stamped(.lost)
        case "unsettled": return answer.stamped(.unsettled)
        case "nothing": throw request.keys.error(.refused, "nothing would be left of the lock's time")
        case "excess":
            throw request.keys.error(
                .refused, "the lock would outlive the store's max_lock_timeout, \(try answer.number(0)) ms")
        default: throw answer.nonsense()
        }
    }

    /// Gives a lock back and announces it. True when it was ours.
    ///
    /// An operator's `down` mark that was set meanwhile is not replaced by `request.mark`.
    public func release(_ request: ReleaseRequest, timeout: Duration) async throws(LockError) -> Bool {
        let needsCompanions = request.guarding || request.mark != nil
        let answer = try await run(
            .release, on: needsCompanions ? request.keys.all : [request.keys.lock],
            [request.token, Self.flag(request.guarding)] + Self.arguments(of: request.mark), timeout: timeout)
        switch answer.word {
        case "released": return true
        case "foreign": return false
        default: throw answer.nonsense()
        }
    }

    /// Looks at a lock without touching it.
    public func look(at keys: LockKeys, timeout: Duration) async throws(LockError) -> LockView {
        let answer = try await run(.look, on: keys.all, [], timeout: timeout)
        guard answer.word == "seen" else { throw answer.nonsense() }
        let ttl = try answer.number(1)
        return LockView(
            token: answer[0].bytes, timeToLive: ttl < 0 ? nil : .milliseconds(ttl), holder: answer[3].bytes,
            holderToken: answer[2].bytes, fence: answer[4].number ?? 0,
            mark: Self.mark(answer[5], answer[6], answer[7], answer[8]))
    }

    /// Sets or clears (nil) the mark beside a lock, and announces it.
    public func setMark(_ mark: Mark?, on keys: LockKeys, timeout: Duration) async throws(LockError) {
        let answer = try await run(.mark, on: keys.all, Self.arguments(of: mark), timeout: timeout)
        guard answer.word == "done" else { throw answer.nonsense() }
    }
}
