// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Rule S10 for a node: what an answer says of the server's clock ends a run, and an operator is told why.
@Suite(.serialized) struct ClockFleetTests {
    private func withNode(
        _ body: (_ fleet: Fleet, _ node: Node, _ run: History.Run, _ ahead: (Duration) throws -> Void) async throws ->
            Void
    ) async throws {
        try await withServer { server in
            try await withFaultProxy(server) { proxy in
                try await withFleet(server: server) { fleet in
                    let node = try fleet.node("a", storeURL: "valkey://127.0.0.1:\(proxy.listener.port)")
                    try node.job("job", fleet.workload())
                    try node.start()
                    let run = try await fleet.waitForRun()
                    // It has looked at its mark, and been renewed.
                    try await Task.sleep(for: fleet.timeout)
                    try await body(fleet, node, run) { try proxy.answerNextLook(in: $0, server) }
                    try fleet.expectAtMostOne()
                }
            }
        }
    }

    @Test func aRunWhoseTimeIsOverByTheServersClockIsEndedAndTheReasonIsTold() async throws {
        try await withNode { fleet, node, run, ahead in
            try ahead(.seconds(60))
            _ = try await node.status()
            let next = try await fleet.waitForRun(after: run.last)
            #expect(next.fence > run.fence)

            let status = try await node.status()
            let last = try #require(status.jobs.first?.lastRun)
            #expect(last.runID == run.id && last.outcome == "lost")
            #expect(last.reason?.contains("over by the store's clock") == true, "\(last.reason ?? "")")
            let words = "the store's clock went ahead of this node's by 59."
            let also = "the store's clock went ahead of this node's by 60."
            func tells(_ text: String) -> Bool { text.contains(words) || text.contains(also) }
            #expect(status.warnings.contains(where: tells), "\(status.warnings)")
            let explanation = try await node.batonctl("explain", "job").output
            #expect(tells(explanation), "\(explanation)")
            let log = try String(contentsOfFile: node.folder + "/log", encoding: .utf8)
            #expect(tells(log))
        }
    }

    @Test func aRunWithTimeLeftIsRenewedAtOnceAndGoesOn() async throws {
        try await withNode { fleet, node, run, ahead in
            try ahead(.milliseconds(400))
            _ = try await node.status()
            try await Task.sleep(for: fleet.timeout * 2)
            #expect(try fleet.read().runs().map(\.id) == [run.id])
            #expect(try await node.status().jobs.first?.state == .running)
        }
    }
}
