// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// What a node says of itself, and what is seen when the nodes are put side by side.
struct NodeRecordTests {
    private let record = NodeRecord(
        node: "web-1", instance: "abc", version: "0.1.0", since: "2026-11-23T02:00:00Z",
        jobs: [
            .init(name: "mail", digest: 0, standing: .standby),
            .init(name: "report", digest: 0xfedc_ba98_7654_3210, standing: .running),
        ])

    @Test func itsFormat() {
        let golden = """
            1
            web-1
            abc
            0.1.0
            2026-11-23T02:00:00Z
            standby 0 mail
            running fedcba9876543210 report
            """
        #expect(String(decoding: record.encode(), as: UTF8.self) == golden)
        #expect(NodeRecord(decoding: Bytes(golden.utf8)) == record)
    }

    @Test func whatALaterVersionWrites() {
        let text = String(decoding: record.encode(), as: UTF8.self)
        let later = NodeRecord(decoding: Bytes(text.replacing("standby 0", with: "dreaming 0").utf8))
        #expect(later?.job("mail")?.standing == .other)
        for odd in ["", "2" + text.dropFirst(), "1\nweb-1\nabc\n0.1.0", text + "\nrunning x y", text + "\n"] {
            #expect(NodeRecord(decoding: Bytes(odd.utf8)) == nil, "\(odd)")
        }
    }

    @Test func aNameMayBeginWithAMark() {
        // Written together, the blank and the mark are one letter.
        var odd = record
        odd.jobs[0].name = "\u{0320}a"
        #expect(NodeRecord(decoding: odd.encode()) == odd)
    }

    @Test func aNameOfSeveralLinesStaysInItsLine() {
        var odd = record
        odd.jobs = [.init(name: "a\nrunning 0 b", digest: 1, standing: .invalid)]
        #expect(NodeRecord(decoding: odd.encode())?.jobs.map(\.name) == ["a\\nrunning 0 b"])
    }

    @Test func everyStateHasAStanding() {
        let standings: [StatusReport.State: NodeRecord.Standing] = [
            .running: .running, .starting: .running, .stopping: .running, .standby: .standby, .disabled: .disabled,
            .ineligible: .ineligible, .invalid: .invalid, .heldDown: .other, .backoff: .other, .paused: .other,
            .finished: .other, .waitingForStore: .other,
        ]
        for (state, standing) in standings { #expect(NodeRecord.Standing(state) == standing, "\(state)") }
    }

    // MARK: Side by side

    private func nodes(_ digests: [String: [String: UInt64]]) -> Divergence {
        Divergence(
            among: digests.map { node, jobs in
                NodeRecord(
                    node: node, instance: "i", version: "1", since: "",
                    jobs: jobs.map { .init(name: $0.key, digest: $0.value, standing: .standby) })
            })
    }

    private func texts(_ divergence: Divergence) -> [String: [String]] {
        divergence.differences.mapValues { $0.map(\.text) }
    }

    @Test func nodesThatSayTheSame() {
        let same = nodes(["a": ["x": 1, "y": 2], "b": ["y": 2, "x": 1], "c": ["x": 1, "y": 2]])
        #expect(same.differences.isEmpty && same.warning == nil && same.jobs.isEmpty)
        #expect(nodes([:]).differences.isEmpty)
        #expect(nodes(["a": ["x": 1]]).differences.isEmpty)
    }

    @Test func mostNodesAreRight() {
        let one = nodes(["a": ["x": 9], "b": ["x": 1], "c": ["x": 1]])
        #expect(texts(one) == ["a": ["x: differs from b"]])
        #expect(
            one.warning
                == "job files are not the same on all nodes (x; on a): \"batonctl nodes\" shows which")
        #expect(texts(nodes(["a": [:], "b": ["x": 1], "c": ["x": 1]])) == ["a": ["x: missing, is on b"]])
        #expect(texts(nodes(["a": [:], "b": ["x": 1], "c": [:]])) == ["b": ["x: is not on a"]])
    }

    @Test func ofEqualNumbersTheFirstNodeIsRightIfItHasTheFile() {
        #expect(texts(nodes(["b": ["x": 2], "a": ["x": 1]])) == ["b": ["x: differs from a"]])
        #expect(texts(nodes(["a": [:], "b": ["x": 2]])) == ["a": ["x: missing, is on b"]])
        #expect(
            texts(nodes(["a": ["x": 3], "b": ["x": 2], "c": ["x": 1]]))
                == ["b": ["x: differs from a"], "c": ["x: differs from a"]])
    }

    @Test func manyDifferencesAreCounted() {
        let jobs = Dictionary(uniqueKeysWithValues: (1...5).map { ("j\($0)", UInt64($0)) })
        let many = nodes(["a": jobs, "b": [:], "c": [:], "d": [:], "e": ["j1": 1]])
        #expect(
            many.warning
                == "job files are not the same on all nodes (j1, j2, j3, and 2 more; on a, e): \"batonctl nodes\" shows which"
        )
        #expect(many.of("j1").map(\.node) == ["a", "e"] && many.of("j5").map(\.node) == ["a"])
    }

    @Test func theReportCountsAndNamesUnknownVersions() {
        let report = NodesReport(
            node: "web-1",
            registered: [
                .init(name: "web-1", instance: "abc", record: record.encode()),
                .init(name: "web-2", instance: "def", record: Bytes("7\nsomething".utf8)),
            ])
        #expect(report.nodes[0].running == 1 && report.nodes[0].standby == 1)
        #expect(report.nodes[0].since == "2026-11-23T02:00:00Z" && report.nodes[0].differences.isEmpty)
        #expect(report.nodes[1] == .init(name: "web-2", instance: "def"))
    }
}
