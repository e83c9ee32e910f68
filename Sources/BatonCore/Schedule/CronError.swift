// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Why a text is not a cron expression.
package struct CronError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Where; nil: the expression as a whole.
    package let field: CronField?
    /// What is wrong.
    package let text: String
    package let reason: String

    /// One sentence without a full stop: `hour '24' cannot be; wanted 0 to 23`.
    package var description: String { (field.map { "\($0.rawValue) " } ?? "") + "'\(text)' \(reason)" }
}
