// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Something that is wrong in a file, as `batonctl check` and `batonctl reload` tell it.
package struct FileProblem: Codable, Equatable, Sendable {
    package var file: String
    package var line: Int?
    package var column: Int?
    package var key: String?
    package var message: String

    package init(file: String, line: Int?, column: Int?, key: String?, message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.key = key
        self.message = message
    }

    /// One line: place, key and reason.
    package var text: String {
        var place = file
        if let line { place += ":\(line)" }
        if let column { place += ":\(column)" }
        return PrintableText.escaped([place, key, message].compactMap { $0 }.joined(separator: ": "))
    }
}
