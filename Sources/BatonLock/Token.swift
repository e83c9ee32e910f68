// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore

/// The value that a holder writes into a lock.
package enum Token {
    /// 128 random bits as 32 hex digits, from the system's generator.
    package static func fresh() -> Bytes {
        var generator = SystemRandomNumberGenerator()
        let words = (generator.next(), generator.next())
        return Bytes(unsafeUninitializedCapacity: 32) { digits, count in
            for index in 0..<32 {
                let word = index < 16 ? words.0 : words.1
                let digit = UInt8(truncatingIfNeeded: word >> (UInt64(index & 15) * 4) & 15)
                digits.initializeElement(at: index, to: digit < 10 ? 48 + digit : 87 + digit)
            }
            count = 32
        }
    }
}
