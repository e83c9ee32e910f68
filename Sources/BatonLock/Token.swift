// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore

/// The value that a holder writes into a lock.
package enum Token {
    /// 128 random bits as 32 hex digits, from the system's generator.
    package static func fresh() -> Bytes {
        var generator = SystemRandomNumberGenerator()
        return hex(generator.next()) + hex(generator.next())
    }

    private static func hex(_ word: UInt64) -> Bytes {
        let digits = Bytes("0123456789abcdef".utf8)
        return (0..<16).map { digits[Int((word >> (60 - 4 * UInt64($0))) & 15)] }
    }
}
