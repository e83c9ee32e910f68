// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Bytes as hexadecimal digits.
package enum Hex {
    package static func text(_ bytes: Bytes) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    /// Nil when they are none.
    package static func bytes(_ hex: some StringProtocol) -> Bytes? {
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
