// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a daemon leaves in a run's folder, so that the next one can take the lease over (rule N3).
package struct LeaseRecord: Equatable, Sendable {
    /// The token that holds the lock, as far as is known.
    package var token: Bytes
    /// The token of a take-over that was begun: it may have replaced `token` already.
    package var successor: Bytes?
    package var fence: Int64
    /// T.
    package var timeout: Duration
    /// What was claimed with the lock (rule S8); nil: nothing, or an earlier version wrote this.
    package var turn: LedgerEntry?

    package init(
        token: Bytes, successor: Bytes? = nil, fence: Int64, timeout: Duration, turn: LedgerEntry? = nil
    ) {
        self.token = token
        self.successor = successor
        self.fence = fence
        self.timeout = timeout
        self.turn = turn
    }

    /// The tokens that may be the lock's value: the old one first. A take-over that is still on its way may arrive between
    /// two releases; it turns the old token into the new one, never back.
    package var candidates: [Bytes] { [token, successor].compactMap { $0 } }

    /// Version, fence, T in milliseconds, token, successor: one line each, tokens in hexadecimal. With a claim: its tick,
    /// attempt, operator's request, microseconds and, in hexadecimal, who claimed it.
    ///
    /// Later versions of Baton may add lines at the end without another version number: an earlier one needs none of
    /// them. They change the number when what is here means something else.
    package func encode() -> Bytes {
        var lines = [
            "1", "\(fence)", "\(timeout.milliseconds)", Hex.text(token), Hex.text(successor ?? []),
        ]
        if let turn {
            lines += [
                "\(turn.tick)", "\(turn.attempt)", turn.manual.map { "\($0)" } ?? "", "\(turn.changed)",
                Hex.text(turn.info),
            ]
        }
        return Bytes(lines.joined(separator: "\n").utf8)
    }

    /// Whether it is a record that only a newer Baton understands.
    package static func isNewer(_ bytes: Bytes) -> Bool {
        let first = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        return Int(first).map { $0 > 1 } ?? false
    }

    /// In milliseconds: a day is the longest `max_lock_timeout` that a node's file may have.
    private static let longestTimeout: Int64 = 86_400_000

    /// Nil for anything but a whole record of this version, of a lease that can have been granted.
    package init?(decoding bytes: Bytes) {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 5, lines[0] == "1", let fence = Int64(lines[1]), FenceRecord.isFence(fence),
            let timeout = Int64(lines[2]), (1...Self.longestTimeout).contains(timeout),
            let token = Hex.bytes(lines[3]), let successor = Hex.bytes(lines[4]),
            !token.isEmpty
        else { return nil }
        self.init(
            token: token, successor: successor.isEmpty ? nil : successor, fence: fence,
            timeout: .milliseconds(timeout), turn: Self.turn(lines.dropFirst(5), fence: fence))
    }

    private static func turn(_ lines: ArraySlice<Substring>, fence: Int64) -> LedgerEntry? {
        let lines = Array(lines)
        guard lines.count >= 5, let tick = Int64(lines[0]), let attempt = Int(lines[1]), let changed = Int64(lines[3]),
            let info = Hex.bytes(lines[4])
        else { return nil }
        let turn = LedgerEntry(
            tick: tick, attempt: attempt, manual: Int64(lines[2]), fence: fence, changed: changed, info: info)
        return turn.isSound ? turn : nil
    }
}
