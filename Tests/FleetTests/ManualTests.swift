// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import Testing

@testable import BatonConfig
@testable import BatonTestSupport

/// The manual tells of everything that there is, and of nothing else.
@Suite(.timeLimit(.minutes(5))) struct ManualTests {
    private func withManual(_ body: ([String: ManualPage]) async throws -> Void) async throws {
        let folder = "/tmp/baton-manual-" + UUID().uuidString.prefix(8).lowercased()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(try await ManualPage.render(into: folder))
    }

    @Test func itIsWellFormed() async throws {
        try await withManual { pages in
            #expect(pages.keys.sorted() == ["baton.job.5", "batonctl.1", "batond.8", "batond.toml.5"])
            for page in pages.values {
                let (code, _, complaints) = try await run("/usr/bin/groff", ["-ww", "-man", "-Tascii", page.path])
                #expect(code == 0 && complaints.isEmpty, "\(complaints)")
            }
        }
    }

    @Test func itHasEveryKey() async throws {
        try await withManual { pages in
            let job = keys { root, log in
                let store = StoreSettings(location: .sqlite(path: "/store"))
                _ = JobDecoder(name: "job", store: store, launcher: .systemd, user: 0, log: log).decode(root)
            }
            #expect(job.count > 15)
            #expect(documented(pages["baton.job.5"], "DESCRIPTION") == job)
            let node = keys { root, log in
                _ = NodeDecoder(
                    path: "/batond.toml", mode: 0o600, user: 0, overrides: NodeOverrides(), credentials: .own,
                    log: log
                ).decode(root)
            }
            #expect(node.count > 10)
            #expect(documented(pages["batond.toml.5"], "KEYS") == node)
        }
    }

    private func documented(_ page: ManualPage?, _ section: String) -> Set<String> {
        Set(
            (page?.tags[section] ?? []).flatMap { tag in
                // "limits.core, fsize": the second is in the same table.
                let keys = tag.components(separatedBy: ", ")
                let table = keys[0].split(separator: ".").dropLast().map { $0 + "." }.joined()
                return [keys[0]] + keys.dropFirst().map { $0.contains(".") ? $0 : table + $0 }
            })
    }

    /// The keys that a decoder asks for, but those of tables: it is shown files with ever more of them.
    private func keys(_ decode: (ConfigNode, ProblemLog) -> Void) -> Set<String> {
        var found: Set<[String]> = []
        while true {
            let log = ProblemLog()
            decode(file(with: found), log)
            let known = Set(log.known.flatMap { table, keys in keys.map { table + [$0] } })
            if known.isSubset(of: found) {
                return Set(found.filter { log.known[$0] == nil }.map { $0.joined(separator: ".") })
            }
            found.formUnion(known)
        }
    }

    /// Every key is an empty table, unless there are keys in it.
    private func file(with keys: Set<[String]>, _ path: [String] = []) -> ConfigNode {
        let below = keys.filter { $0.count == path.count + 1 && $0.starts(with: path) }
        let values = below.map { ($0[path.count], file(with: keys, $0)) }
        return ConfigNode(
            value: .table(Dictionary(uniqueKeysWithValues: values)), source: ConfigSource(path: "/file", text: ""),
            path: path)
    }

    @Test(arguments: [("batond", "batond.8"), ("batonctl", "batonctl.1")])
    func itHasEveryCommandAndOption(_ program: String, _ name: String) async throws {
        let (code, output, _) = try await run(Binary.folder + "/" + program, ["--experimental-dump-help"])
        #expect(code == 0)
        let help = try JSONDecoder().decode(Help.self, from: Data(output.utf8)).command
        let commands = (help.subcommands ?? []).map(\.commandName)
        let options = ([help] + (help.subcommands ?? [])).flatMap { $0.arguments ?? [] }.compactMap(\.names)
        #expect(options.count > 3)
        try await withManual { pages in
            let tags = try #require(pages[name]).tags
            let words = (tags["OPTIONS"] ?? []) + (tags["COMMANDS"] ?? [])
            let told = Set(words.flatMap { $0.matches(of: #/(?:^|[\s\[])(--?[a-z][a-z-]*)/#).map { String($0.1) } })
            for names in options {
                #expect(names.contains { told.contains($0.text) }, "\(names.map(\.text)) is not in \(name)")
            }
            let real = Set(options.flatMap { $0.map(\.text) })
            #expect(told.subtracting(real).isEmpty, "in \(name), but no option")
            let listed = Set((tags["COMMANDS"] ?? []).map { String($0.split(separator: " ")[1]) })
            // A program without commands of its own has "help" all the same.
            #expect(listed.union(["help"]) == Set(commands).union(["help"]))
        }
    }

    private struct Help: Decodable {
        var command: Command

        struct Command: Decodable {
            var commandName: String
            var subcommands: [Command]?
            var arguments: [Argument]?
        }

        struct Argument: Decodable {
            var names: [Name]?
        }

        struct Name: Decodable {
            var kind: String
            var name: String
            var text: String { (kind == "long" ? "--" : "-") + name }
        }
    }
}
