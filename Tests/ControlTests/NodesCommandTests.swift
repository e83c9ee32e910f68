// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import Testing
import batonctl

/// `batonctl nodes` and `batonctl explain` against a control socket.
@Suite struct NodesCommandTests {
    @Test func nodesIsATableForPeople() async throws {
        try await withServer { path async throws in
            let result = try await batonctl("nodes", "--socket", path)
            #expect(
                result
                    == Finished(
                        code: 0,
                        out: """
                            NODE          INSTANCE  VERSION          SINCE                 RUNNING  STANDBY  JOB FILES
                            web-1 (here)  abc       unknown version  -                     -        -
                            web-2         fedcba98  0.1.0            2026-11-23T02:00:00Z  1        2        report: differs from web-1

                            """, error: ""))
            let json = try await batonctl("nodes", "--json", socket: path)
            let report = try JSONDecoder().decode(NodesReport.self, from: Data(json.out.utf8))
            #expect(json.code == 0 && report.nodes.map(\.name) == ["web-1", "web-2"])
        }
    }

    @Test func manyDifferencesAndWarnings() {
        var node = NodesReport.Node(name: "evil\u{1b}[31m", instance: "i")
        node.differences = (1...5).map { .init(job: "j\($0)", kind: .missing, from: "web-1") }
        let text = NodesTable.text(NodesReport(node: "web-1", nodes: [node], warnings: ["two of one name"]))
        #expect(text.hasPrefix("warning: two of one name\n\nNODE"))
        #expect(text.hasSuffix("j3: missing, is on web-1; and 2 more (--json)"))
        #expect(text.contains("evil\\x1b[31m"))
        #expect(NodesTable.text(NodesReport(node: "web-1", nodes: [])) == "no node is registered")
    }

    @Test func explainSpeaksInSentences() async throws {
        try await withServer { path async throws in
            let result = try await batonctl("explain", "held", socket: path)
            #expect(
                result
                    == Finished(
                        code: 0,
                        out: """
                            held runs on no node: it was stopped by an operator.

                            to let it run: batonctl run held

                            """, error: ""))
            let json = try await batonctl("--json", "explain", "held", socket: path)
            let explanation = try JSONDecoder().decode(Explanation.self, from: Data(json.out.utf8))
            #expect(json.code == 0 && explanation.state == "held-down")
            #expect(explanation.advice == [.init("to let it run", "batonctl run held")])
        }
    }

    @Test func anUnknownJobIsAFailureThatNamesTheNearest() async throws {
        try await withServer { path async throws in
            let result = try await batonctl("explain", "reprot", socket: path)
            #expect(
                result
                    == Finished(
                        code: 1, out: "",
                        error: "batonctl: no job \"reprot\" on this node; did you mean \"report\"?\n"))
        }
    }
}
