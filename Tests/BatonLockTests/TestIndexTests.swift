// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What Tests/README.md promises is there.
struct TestIndexTests {
    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("..")
        .standardized

    private func index() throws -> String {
        try String(contentsOf: Self.tests.appendingPathComponent("README.md"), encoding: .utf8)
    }

    /// The functions that are tests, by suite. (A suite's extensions count as the suite.)
    private func functions() throws -> [String: Set<String>] {
        var found: [String: Set<String>] = [:]
        let files = FileManager.default.enumerator(at: Self.tests, includingPropertiesForKeys: nil)
        for case let file as URL in try #require(files) where file.pathExtension == "swift" {
            let source = try String(contentsOf: file, encoding: .utf8)
            let suites = source.matches(of: #/(?m)^(?:@Suite.* )?(?:struct|extension) (\w+)/#)
            // A line apart from its function: the test has arguments.
            for match in source.matches(of: #/@Test\b(?s:.*?)\bfunc (\w+)/#) {
                guard let suite = suites.last(where: { $0.range.lowerBound < match.range.lowerBound }) else { continue }
                found[String(suite.1), default: []].insert(String(match.1))
            }
        }
        return found
    }

    @Test func everyTestThatTheIndexNamesExists() throws {
        let functions = try functions()
        let names = try index().matches(of: #/`(\w+)\/(\w+)`/#).filter { name in
            let path = Self.tests.appendingPathComponent("\(name.1)/\(name.2)").path
            return name.1 != "Suite" && !FileManager.default.fileExists(atPath: path)
        }
        #expect(names.count > 80)
        for name in names {
            let (suite, function) = (String(name.1), String(name.2))
            #expect(functions[suite]?.contains(function) == true, "\(suite)/\(function)")
        }
    }

    @Test func everyNameOfUpstreamsSuiteIsInTheIndex() throws {
        let rows = try index().split(separator: "\n").filter { $0.hasPrefix("| `test_") }
        #expect(rows.count == 31)
        for row in rows { #expect(row.contains("Tests/") || row.contains("Does not apply: "), "\(row)") }
        // A test that bears one of the names is in that name's row.
        let file = Self.tests.appendingPathComponent("BatonLockTests/UpstreamTests.swift")
        let ported = try String(contentsOf: file, encoding: .utf8).matches(of: #/@Test\("(\w+)".*\n\s+func (\w+)/#)
        #expect(ported.count > 10)
        for test in ported {
            let row = rows.first { $0.hasPrefix("| `\(test.1)` |") }
            #expect(row?.contains("`UpstreamTests/\(test.2)`") == true, "\(test.1)")
        }
    }
}
