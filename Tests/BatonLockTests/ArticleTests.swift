// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What the articles, the README and the doc comments show is what was compiled: `Articles/NAME.swift` holds the code of
/// `NAME.md` word for word. That it works is in ``ArticleCodeTests`` and ``ArticleStoreTests``.
struct ArticleTests {
    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let root = tests.appendingPathComponent("../..").standardized

    /// The lines of the articles and of the README, by the name of the page.
    private func pages() throws -> [String: [String]] {
        let files = try sources("md") + [Self.root.appendingPathComponent("README.md")]
        return Dictionary(
            uniqueKeysWithValues: try files.map { ($0.deletingPathExtension().lastPathComponent, try lines($0)) })
    }

    /// The files of this kind in the sources.
    private func sources(_ kind: String) throws -> [URL] {
        let files = FileManager.default.enumerator(
            at: Self.root.appendingPathComponent("Sources"), includingPropertiesForKeys: nil)
        return try #require(files).compactMap { $0 as? URL }.filter { $0.pathExtension == kind }
    }

    private func lines(_ file: URL) throws -> [String] {
        try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
    }

    private func compiled(_ name: String) throws -> [String] {
        try lines(Self.tests.appendingPathComponent("Articles/\(name).swift"))
    }

    /// The blocks of Swift in a page, or in doc comments.
    private func blocks(_ page: [String]) -> [[String]] {
        var blocks: [[String]] = []
        var isInside = false
        for line in page.map({ String($0.trimmingPrefix(#/\ *\/\/\/ ?/#)) }) {
            if line == "```swift" {
                isInside = true
                blocks.append([])
            } else if line == "```" {
                isInside = false
            } else if isInside {
                blocks[blocks.endIndex - 1].append(line)
            }
        }
        return blocks
    }

    /// Whether these lines stand in the file one after the other, all of them further to the right by as much.
    private func holds(_ file: [String], _ block: [String]) -> Bool {
        file.indices.contains { start in
            let indentation = file[start].prefix { $0 == " " }
            return file[start...].count >= block.count
                && zip(file[start...], block).allSatisfy { $0 == ($1.isEmpty ? "" : indentation + $1) }
        }
    }

    private func expect(_ block: [String], in name: String) throws {
        let isHeld = holds(try compiled(name), block)
        #expect(isHeld, "not word for word in Articles/\(name).swift:\n\(block.joined(separator: "\n"))")
    }

    @Test func allThatIsShownIsCompiled() throws {
        var count = 0
        for (name, page) in try pages() {
            for block in blocks(page) { try expect(block, in: name) }
            count += blocks(page).count
        }
        #expect(count >= 15)
        let comments = try sources("swift").flatMap { blocks(try lines($0).filter { $0.contains("///") }) }
        #expect(!comments.isEmpty)
        for block in comments { try expect(block, in: "DocComments") }
    }

    @Test func allThatIsCompiledIsShown() throws {
        let pages = try pages()
        let folder = Self.tests.appendingPathComponent("Articles")
        for file in try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) {
            let name = file.deletingPathExtension().lastPathComponent
            if name == "DocComments" { continue }
            let shown = Set(blocks(try #require(pages[name], "no page is called \(name)")).joined())
            let others = try lines(file).filter { !shown.contains($0) && !$0.hasPrefix("import ") }
            #expect(others.filter { !$0.isEmpty && !$0.hasPrefix("// ") }.isEmpty, "in \(name).swift and in no page")
        }
    }
}
