// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

@Suite struct PlacementTests {
    @Test(arguments: [
        ("*", "", true), ("*", "web-1", true), ("web-*", "web-1", true), ("web-*", "web-", true),
        ("web-*", "web", false),
        ("web-*", "xweb-1", false), ("*-1", "web-1", true), ("*-1", "web-1-2", false), ("*-1", "a-1-1", true),
        ("w?b", "web", true), ("w?b", "wb", false), ("?", "", false), ("", "", true), ("", "a", false),
        ("a*b*c", "a-b-b-c", true), ("a*b*c", "a-c-b", false), ("**", "x", true), ("*?", "", false), ("*?", "x", true),
        ("web-1", "web-1", true), ("web-1", "web-10", false), ("Web", "web", false), ("a.c", "abc", false),
        ("*a*a*a*a*a*a*a*b", String(repeating: "a", count: 64), false),
    ])
    func patternsMatch(pattern: String, name: String, wanted: Bool) {
        #expect(NamePattern(pattern).matches(name) == wanted)
    }

    /// Against the plainest definition there is.
    @Test func patternsMatchAsTheirDefinitionSays() {
        func matches(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
            guard let first = pattern.first else { return name.isEmpty }
            let rest = pattern.dropFirst()
            if first == UInt8(ascii: "*") {
                return matches(rest, name) || (!name.isEmpty && matches(pattern, name.dropFirst()))
            }
            guard let letter = name.first, first == letter || first == UInt8(ascii: "?") else { return false }
            return matches(rest, name.dropFirst())
        }
        var random = SplitMix(state: 7)
        func text(_ letters: String, _ longest: UInt64) -> String {
            String(
                (0..<(random.next() % longest)).map { _ in Array(letters)[Int(random.next() % UInt64(letters.count))] })
        }
        for _ in 0..<20_000 {
            let (pattern, name) = (text("ab*?", 8), text("ab", 10))
            let wanted = matches(ArraySlice(pattern.utf8), ArraySlice(name.utf8))
            #expect(NamePattern(pattern).matches(name) == wanted, "\(pattern) \(name)")
        }
    }

    private static let node = NodeProfile(name: "web-1", tags: ["role": "web", "zone": "a"])

    @Test(
        arguments: [
            (Placement(), nil),
            (Placement(nodes: ["db-*", "web-?"]), nil),
            (Placement(nodes: ["db-*", "web-2"]), "web-1 is none of placement.nodes = db-*, web-2"),
            (Placement(require: ["role": "web"]), nil),
            (Placement(require: ["role": "web", "zone": "a"]), nil),
            (Placement(require: ["role": "db"]), "placement.require wants role = db, web-1 has web"),
            (
                Placement(require: ["zone": "b", "disk": "ssd", "role": "web"]),
                "placement.require wants disk = ssd, web-1 has no such tag; zone = b, web-1 has a"
            ),
            (Placement(nodes: ["web-*"], require: ["role": "db"]), "placement.require wants role = db, web-1 has web"),
            (Placement(prefer: ["zone": "b"]), nil),
        ] as [(Placement, String?)])
    func whoMayNotIsToldWhy(placement: Placement, wanted: String?) {
        #expect(placement.objection(to: Self.node) == wanted)
        var job = JobDefinition(name: "report", command: .program(["/bin/true"]))
        job.placement = placement
        #expect(Standing(of: job, on: Self.node) == (wanted.map { .ineligible($0) } ?? .competes))
        job.enabled = false
        #expect(Standing(of: job, on: Self.node) == .disabled)
    }

    @Test func whoIsNotPreferredStandsBack() {
        #expect(Placement().handicap(of: Self.node) == .zero)
        #expect(Placement(prefer: ["zone": "a"]).handicap(of: Self.node) == .zero)
        #expect(Placement(prefer: ["zone": "b"]).handicap(of: Self.node) == .milliseconds(500))
        #expect(Placement(prefer: ["zone": "a", "disk": "ssd"]).handicap(of: Self.node) == .milliseconds(500))
    }

    @Test func aQuotaHasRoomForSoManyRuns() {
        var quota = RunQuota(limit: 2)
        func claims(_ jobs: String...) -> [Bool] { jobs.map { quota.claim($0) } }
        // The second time, a has room already.
        #expect(claims("a", "b", "a", "c") == [true, true, true, false])
        quota.free("c")
        #expect(quota.isFull)
        quota.free("a")
        #expect(!quota.isFull)
        #expect(claims("c") == [true])
        // Runs of an earlier daemon count, however many there are.
        quota.add("d")
        quota.free("b")
        #expect(quota.isFull)
        var endless = RunQuota(limit: 0)
        let granted = (0..<1000).count { endless.claim("\($0)") }
        #expect(granted == 1000 && !endless.isFull)
        // A node whose name is another's takes no more, and keeps those that it has.
        endless.barredBy = "b"
        #expect(endless.obstacle(to: "new") == .barred(by: "b") && endless.obstacle(to: "7") == nil)
        let whileBarred = [endless.claim("new"), endless.claim("7")]
        endless.barredBy = nil
        let afterwards = endless.claim("new")
        #expect(whileBarred == [false, true] && afterwards)
    }
}
