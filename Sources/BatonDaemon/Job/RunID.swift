// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A run's id: 128 random bits.
enum RunID {
    static func fresh() -> String {
        var generator = SystemRandomNumberGenerator()
        func word() -> String {
            let digits = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return word() + word()
    }
}
