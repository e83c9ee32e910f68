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

    package init(token: Bytes, successor: Bytes? = nil, fence: Int64, timeout: Duration) {
        self.token = token
        self.successor = successor
        self.fence = fence
        self.timeout = timeout
    }

    /// The tokens that may be the lock's value: the old one first. A take-over that is still on its way may arrive between
    /// two releases; it turns the old token into the new one, never back.
    package var candidates: [Bytes] { [token, successor].compactMap { $0 } }

    /// Version, fence, T in milliseconds, token, successor: one line each, tokens in hexadecimal.
    ///
    /// Later versions of Baton may add lines at the end without another version number: an earlier one needs none of
    /// them. They change the number when what is here means something else.
    package func encode() -> Bytes {
        let lines = [
            "1", "\(fence)", "\(timeout.milliseconds)", LeaseRecord.hex(token), LeaseRecord.hex(successor ?? []),
        ]
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
            let token = LeaseRecord.bytes(lines[3]), let successor = LeaseRecord.bytes(lines[4]),
            !token.isEmpty
        else { return nil }
        self.init(
            token: token, successor: successor.isEmpty ? nil : successor, fence: fence,
            timeout: .milliseconds(timeout))
    }

    private static func hex(_ bytes: Bytes) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    private static func bytes(_ hex: Substring) -> Bytes? {
        let digits = Array(hex)
        guard digits.count % 2 == 0 else { return nil }
        var bytes = Bytes()
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(digits[index...index + 1]), radix: 16) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}
