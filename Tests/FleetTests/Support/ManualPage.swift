// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation

@testable import BatonTestSupport

/// A page of the manual, as it is installed.
struct ManualPage {
    /// What it describes, each with its explanation, by section; without markup.
    private(set) var tags: [String: [String]] = [:]
    let path: String
    /// All pages, rendered into `folder`.
    static func render(into folder: String) async throws -> [String: ManualPage] {
        let (code, _, errors) = try await run("/bin/bash", [Checkout.path + "/.ci/man", folder])
        if code != 0 { throw TestFailure(".ci/man: \(errors)") }
        var pages: [String: ManualPage] = [:]
        for section in try FileManager.default.contentsOfDirectory(atPath: folder) {
            for name in try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(section)") {
                pages[name] = try ManualPage(path: "\(folder)/\(section)/\(name)")
            }
        }
        return pages
    }

    private init(path: String) throws {
        self.path = path
        var section = ""
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        for (line, next) in zip(lines, lines.dropFirst()) {
            if line.hasPrefix(".SH ") { section = String(line.dropFirst(4)) }
            if line == ".TP" { tags[section, default: []].append(Self.plain(next)) }
        }
    }

    private static func plain(_ text: Substring) -> String {
        String(text).replacing(#/\\f[BIR]/#, with: "").replacingOccurrences(of: "\\-", with: "-")
            .replacingOccurrences(of: "\\e", with: "\\")
    }
}
