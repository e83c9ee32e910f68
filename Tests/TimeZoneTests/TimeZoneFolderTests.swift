// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import BatonCore
@testable import BatonSystem
@testable import BatonTestSupport

/// The system's time zones, as they are on this machine.
@Suite struct TimeZoneFolderTests {
    /// All names that tzdata itself lists, with those that stand only for others.
    private static func names() throws -> [String] {
        let list = try String(contentsOfFile: "/usr/share/zoneinfo/tzdata.zi", encoding: .utf8)
        return list.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            switch words.first {
            case "Z": return String(words[1])
            case "L": return String(words[2])
            default: return nil
            }
        }
    }

    /// Python's zoneinfo reads the same files.
    @Test func everyZoneIsAsPythonHasIt() async throws {
        var random = SplitMix(seed: 1)
        var (all, questions) = ([TimeZoneRules](), [PythonSchedules.Question]())
        for name in try Self.names() {
            let rules = try TimeZoneFolder.system.rules(of: name)
            var instants = (0..<20).map { _ in Int64.random(in: -2_000_000_000...8_000_000_000, using: &random) }
            var span = rules.span(at: -2_208_988_800)
            while span.end < 4_200_000_000 {
                instants += [span.end - 1, span.end]
                span = rules.span(at: span.end)
            }
            all.append(rules)
            questions.append(.offsets(zone: name, at: instants))
        }
        #expect(all.count > 400)
        let answers = try await PythonSchedules.ask(questions)
        for (rules, (question, answer)) in zip(all, zip(questions, answers)) {
            guard case .offsets(_, let instants) = question else { continue }
            let wrong = zip(instants, answer).filter { rules.offset(at: $0) != $1 }
            #expect(wrong.isEmpty, "\(rules.name): \(wrong.prefix(3))")
        }
    }

    @Test func utcNeedsNoFile() throws {
        #expect(try TimeZoneFolder(path: "/nonexistent").rules(of: "UTC") == .utc)
    }

    @Test(arguments: [
        ("Europe/Berlim", "there is no time zone 'Europe/Berlim' in /usr/share/zoneinfo"),
        ("Europe", "there is no time zone 'Europe' in /usr/share/zoneinfo"),
        ("europe/berlin", "there is no time zone 'europe/berlin' in /usr/share/zoneinfo"),
        ("../zoneinfo/UTC", "'../zoneinfo/UTC' is no time zone's name; wanted one as Europe/Berlin or UTC"),
        ("/etc/localtime", "'/etc/localtime' is no time zone's name; wanted one as Europe/Berlin or UTC"),
        ("localtime", "'localtime' is each machine's own; the nodes of a fleet need the same zone"),
        ("zone.tab", "/usr/share/zoneinfo/zone.tab is no time zone: it has no TZif header"),
    ])
    func whatIsNoZone(name: String, reason: String) {
        #expect(throws: TimeZoneError(reason: reason)) { try TimeZoneFolder.system.rules(of: name) }
    }

    @Test func aMissingFolderIsSaid() {
        let reason = "there is no time zone 'Asia/Tokyo' in /nonexistent, which is not there; is tzdata installed?"
        #expect(throws: TimeZoneError(reason: reason)) {
            try TimeZoneFolder(path: "/nonexistent").rules(of: "Asia/Tokyo")
        }
    }

    /// What the system learns of a zone counts at once, and what did not change is not read again.
    @Test func aFileThatIsReplacedIsReadAgain() throws {
        let path = FileManager.default.temporaryDirectory.path + "/baton-zones-" + UUID().uuidString.prefix(13)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = TimeZoneFolder(path: path)
        func install(_ zone: String) throws {
            let source = try #require(try Files.read("/usr/share/zoneinfo/\(zone)", limit: 1 << 20))
            try Files.write(path + "/Here", source)
        }
        #expect(throws: TimeZoneError.self) { try folder.rules(of: "Here") }
        try install("Asia/Tokyo")
        #expect(try folder.rules(of: "Here").offset(at: 1_800_000_000) == 32400)
        try install("Asia/Kolkata")
        #expect(try folder.rules(of: "Here").offset(at: 1_800_000_000) == 19800)
        // One that cannot be read is an error, not the one from before.
        try Files.write(path + "/Here", Bytes("TZif2".utf8))
        #expect(throws: TimeZoneError(reason: "\(path)/Here ends within its header")) { try folder.rules(of: "Here") }
    }
}
