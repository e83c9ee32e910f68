// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonSystem

/// Why a node can't start: what, and why, in one sentence.
package struct StartError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }

    /// Runs `body`, and says in front of its error what it was about.
    package static func wrapping<Value>(_ what: String, _ body: () throws -> Value) throws(StartError) -> Value {
        do { return try body() } catch { throw StartError("\(what): \(error)") }
    }
}
