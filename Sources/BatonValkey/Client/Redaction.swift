// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Keeps the password out of what a server says.
///
/// A server that does not know AUTH quotes it: `unknown command 'AUTH', with args beginning with: 'PASSWORD'`, cut off
/// after 128 bytes.
struct Redaction: Sendable {
    private let secret: [Unicode.Scalar]

    init(_ secret: Secret?) { self.secret = (secret?.value ?? "").unicodeScalars.map(Self.asQuoted) }

    /// The text with the password, or a beginning of it that says much, replaced.
    func callAsFunction(_ text: String) -> String {
        guard !secret.isEmpty else { return text }
        let scalars = text.unicodeScalars.map(Self.asQuoted)
        var result = String.UnicodeScalarView()
        var index = 0
        while index < scalars.count {
            let length = zip(scalars[index...], secret).prefix { $0 == $1 }.count
            if isTelling(length, at: index, in: scalars) {
                result.append(contentsOf: Secret("").description.unicodeScalars)
                index += length
            } else {
                result.append(scalars[index])
                index += 1
            }
        }
        return String(result)
    }

    /// A short password is looked for as a word: in the middle of others it would be told by what is left of them.
    private func isTelling(_ length: Int, at start: Int, in text: [Unicode.Scalar]) -> Bool {
        if length >= 8 { return true }
        guard length == secret.count else { return false }
        let isWhole = { (index: Int) in !text.indices.contains(index) || !text[index].properties.isAlphabetic }
        return isWhole(start - 1) && isWhole(start + length)
    }

    /// Servers keep an error on one line.
    private static func asQuoted(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        scalar.value < 32 || scalar.value == 127 ? " " : scalar
    }
}
