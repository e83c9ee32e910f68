// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What the articles, the README and the doc comments show is what was compiled: `Articles/NAME.swift` holds the code of
/// `NAME.md` word for word. That it works is in ``ArticleCodeTests``.
struct ArticleTests {
    private static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    private static let root = tests.appendingPathComponent("../..").standardized
    private static let compiled = tests.appendingPathComponent("Articles")

    /// The files of this kind in the sources.
    private func sources(_ kind: String) throws -> [URL] {
        let files = FileManager.default.enumerator(
            at: Self.root.appendingPathComponent("Sources"), includingPropertiesForKeys: nil)
        return try #require(files).compactMap { $0 as? URL }.filter { $0.pathExtension == kind }
    }

    private func lines(_ file: URL) throws -> [String] {
        try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
    }

    /// The blocks of Swift in a page.
    private func code(in page: [String]) -> [[String]] {
        var blocks: [[String]] = []
        var isInside = false
        for line in page.map({ $0.trimmingPrefix(#/\ *\/\/\/ ?/#) }) {
            if line == "```swift" {
                isInside = true
                blocks.append([])
            } else if line == "```" {
                isInside = false
            } else if isInside {
                blocks[blocks.endIndex - 1].append(String(line))
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

    @Test func allCodeOfThePagesIsCompiled() throws {
        let pages = try sources("md") + [Self.root.appendingPathComponent("README.md")]
        let names = pages.map { $0.deletingPathExtension().lastPathComponent }
        #expect(Set(names).count == pages.count)
        var count = 0
        for (page, name) in zip(pages, names) {
            let blocks = code(in: try lines(page))
            count += blocks.count
            if blocks.isEmpty { continue }
            let file = try lines(Self.compiled.appendingPathComponent("\(name).swift"))
            for block in blocks { #expect(holds(file, block), "\(name).md shows:\n\(block.joined(separator: "\n"))") }
        }
        #expect(count >= 15)
    }

    @Test func allCodeOfTheDocCommentsIsCompiled() throws {
        let file = try lines(Self.compiled.appendingPathComponent("DocComments.swift"))
        let blocks = try sources("swift").flatMap { code(in: try lines($0).filter { $0.contains("///") }) }
        #expect(!blocks.isEmpty)
        for block in blocks { #expect(holds(file, block), "\(block.joined(separator: "\n"))") }
    }

    /// What no page shows any more need not be compiled.
    @Test func allThatIsCompiledIsShown() throws {
        let pages = try sources("md") + [Self.root.appendingPathComponent("README.md")]
        let names = Set(pages.map { $0.deletingPathExtension().lastPathComponent }).union(["DocComments"])
        for file in try FileManager.default.contentsOfDirectory(at: Self.compiled, includingPropertiesForKeys: nil) {
            let name = file.deletingPathExtension().lastPathComponent
            #expect(names.contains(name), "\(name)")
            guard let page = pages.first(where: { $0.deletingPathExtension().lastPathComponent == name }) else {
                continue
            }
            let shown = try code(in: lines(page)).joined().filter { !$0.isEmpty }
            let own = try lines(file).filter { !$0.isEmpty && !$0.hasPrefix("// ") && !$0.hasPrefix("import ") }
            #expect(own == shown.filter { !$0.hasPrefix("import ") }, "\(name)")
        }
    }
}
