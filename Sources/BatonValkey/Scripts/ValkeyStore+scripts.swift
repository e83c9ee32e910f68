// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import NIOCore

/// A script's answer, taken apart.
struct ScriptAnswer {
    let word: String
    let serverTime: Int64
    private let store: ValkeyStore
    private let rest: ArraySlice<Reply>

    init(_ reply: Reply, of store: ValkeyStore) throws(LockError) {
        self.store = store
        guard let parts = reply.elements, parts.count >= 2, let word = parts[0].text, let time = parts[1].number else {
            throw store.nonsense()
        }
        self.word = word
        serverTime = time
        rest = parts[2...]
    }

    /// What follows the word and the time; `null` past the end.
    subscript(index: Int) -> Reply {
        index + 2 < rest.endIndex ? rest[index + 2] : .null
    }

    func number(_ index: Int) throws(LockError) -> Int64 {
        guard let number = self[index].number else { throw nonsense() }
        return number
    }

    func stamped<Value>(_ value: Value) -> Stamped<Value> { Stamped(value, serverTime: serverTime) }

    func nonsense() -> LockError { store.nonsense() }
}

extension ValkeyStore {
    /// The error of a request whose answer means nothing: the server has done something, and nobody knows what.
    ///
    /// Whether later answers belong to their questions is not known either, so the connection is given up.
    func nonsense() -> LockError {
        let message = "\(configuration.peer) gave an answer that makes no sense"
        giveUpConnection(because: message)
        return LockError(.unknownOutcome, message)
    }

    /// Runs a script, by its digest, and by its text when the server does not know it (yet, or any more).
    func run(
        _ script: Script, on keys: [Bytes], _ arguments: [Bytes], timeout: Duration
    ) async throws(LockError) -> ScriptAnswer {
        let tail = [Self.text(Int64(keys.count))] + keys + arguments
        let replies = try await exchange(
            about: keys[0], [[Self.text("EVALSHA"), script.digest] + tail],
            unlessKnown: [Self.text("EVAL"), script.text] + tail,
            timeout: timeout)
        let answer = try ScriptAnswer(replies[0], of: self)
        if answer.word == "blind" {
            throw LockError(
                .notPermitted,
                "\(configuration.peer) does not let this user ask INFO, which the guard needs (+info in the user's ACL)"
            )
        }
        heard(serverTime: answer.serverTime)
        return answer
    }

    /// Sends commands, again while the server says that it will pass, and throws what the first one's error means, with
    /// the name of the lock that they are about.
    func exchange(
        about lock: Bytes, _ commands: [[Bytes]], unlessKnown fallback: [Bytes]? = nil, timeout: Duration
    ) async throws(LockError) -> [Reply] {
        do throws(LockError) {
            return try await exchange(commands, unlessKnown: fallback, timeout: timeout)
        } catch {
            throw LockError(error.code, lock: printable(String(decoding: lock, as: UTF8.self)), error.message)
        }
    }

    /// Sending again is safe: an error reply is given for what was not applied.
    private func exchange(
        _ commands: [[Bytes]], unlessKnown fallback: [Bytes]?, timeout: Duration
    ) async throws(LockError) -> [Reply] {
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        var commands = commands
        var fallback = fallback
        var backoff = Backoff(longest: .milliseconds(200))
        while true {
            let replies = try await send(commands, until: deadline)
            guard case .error(let message)? = replies.first else { return replies }
            let error = ServerError(message)
            switch error.kind {
            case .noScript:
                guard let command = fallback else { throw error.lockError(peer: configuration.peer) }
                commands = [command]
                fallback = nil
            case .passing, .wrongServer:
                let pause = backoff.pause(chance: .random(in: 0...1))
                // Time for an answer must be left as well: one that comes too late would be an unknown outcome.
                guard NIODeadline.now() + TimeAmount(pause * 2) < deadline, (try? await Task.sleep(for: pause)) != nil
                else {
                    throw error.lockError(peer: configuration.peer)
                }
            case .notPermitted, .refused: throw error.lockError(peer: configuration.peer)
            }
        }
    }
}

// MARK: Words, numbers and marks, as scripts take and give them

extension ValkeyStore {
    /// Lua's numbers are exact up to here.
    static let largestFence: Int64 = 1 << 53
    /// The longest TTL, in milliseconds, that a server is asked for: 34 years.
    static let longest: Int64 = 1 << 40

    static func text(_ value: String) -> Bytes { Bytes(value.utf8) }
    static func text(_ value: Int64?) -> Bytes { value.map { Bytes("\($0)".utf8) } ?? [] }
    static func flag(_ value: Bool) -> Bytes { [UInt8(ascii: value ? "1" : "0")] }

    /// 128 random bits in hexadecimal: a nonce, or the part of an owner record that changes every time.
    static func random() -> Bytes {
        let digits = Bytes("0123456789abcdef".utf8)
        var generator = SystemRandomNumberGenerator()
        return [generator.next(), generator.next()].flatMap { (word: UInt64) in
            (0..<16).map { digits[Int(word >> (UInt64($0) * 4) & 15)] }
        }
    }

    /// Milliseconds, never fewer than asked for: the server must not forget before the holder stops.
    static func roundedUp(_ duration: Duration) -> Int64 {
        let whole = duration.milliseconds
        return Duration.milliseconds(whole) < duration ? whole + 1 : whole
    }

    static func timeToLive(_ duration: Duration, _ keys: LockKeys) throws(LockError) -> Int64 {
        guard duration >= .milliseconds(1), roundedUp(duration) <= longest else {
            throw keys.error(.invalidArgument, "a lock's timeout is at least 1 ms, and not for ever")
        }
        return roundedUp(duration)
    }

    /// What a script takes for a mark: whether there is one, kind, microseconds it stands ("" for ever), failures, by.
    static func arguments(of mark: Mark?) -> [Bytes] {
        guard let mark else { return [flag(false)] }
        let remaining = mark.remaining.map { max(0, $0.nanoseconds / 1000) }
        return [flag(true), text(mark.kind.rawValue), text(remaining), text(Int64(mark.failures)), text(mark.by)]
    }

    /// The mark of a script's answer; nil when there is none, or a kind that this version does not know.
    static func mark(_ kind: Reply, _ remaining: Reply, _ failures: Reply, _ by: Reply) -> Mark? {
        guard let kind = kind.text.flatMap(Mark.Kind.init(rawValue:)) else { return nil }
        return Mark(
            kind: kind, remaining: remaining.number.map { .microseconds($0) }, failures: Int(failures.number ?? 0),
            by: by.text ?? "")
    }

    /// What a waiter learns; the lease's length is the second part of the owner record.
    static func sighting(ttl: Int64, owner: Bytes?, fence: Int64?) -> Sighting {
        let parts = owner?.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
        let timeout = parts.flatMap { $0.count == 3 ? Int64(String(decoding: $0[1], as: UTF8.self)) : nil }
        return Sighting(
            timeToLive: ttl < 0 ? nil : .milliseconds(ttl), owner: owner, timeout: timeout.map { .milliseconds($0) },
            fence: fence ?? 0)
    }
}

extension LockKeys {
    /// The order in which scripts expect them.
    var all: [Bytes] { [lock, fence, epoch, holder, mark] }

    /// An error about this lock.
    func error(_ code: LockError.Code, _ message: String) -> LockError {
        LockError(code, lock: printable(String(decoding: lock, as: UTF8.self)), message)
    }
}

extension AcquireRequest {
    /// Whether the seed's `SET NX` is all that is asked for.
    var isPlain: Bool {
        guarding == nil && fence == nil && holder == nil && notAfter == nil && !heedsMarks && !tokenIsFresh
    }
}
