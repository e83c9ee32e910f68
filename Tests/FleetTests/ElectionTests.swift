// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Real daemons, keepers and workloads of three nodes; what they did is read from the workloads' own lines.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ElectionTests {
    @Test func threeNodesOnOneServerRunTheJobOnce() async throws {
        try await withServer { server in
            try await withFleet(server: server) { try await oneRunner($0) }
        }
    }

    @Test func threeNodesOnOneFileRunTheJobOnce() async throws {
        // Renewals write to the disk, which may be slow: a longer lease.
        try await withFleet(timeout: .seconds(4)) { try await oneRunner($0) }
    }

    private func oneRunner(_ fleet: Fleet) async throws {
        let nodes = try ["a", "b", "c"].map { try fleet.node($0) }
        for node in nodes {
            try node.job("job", fleet.workload())
            try node.start()
        }
        let run = try await fleet.waitForRun()
        // Several renewals later it is still the only one, and every node names it.
        try await Task.sleep(for: fleet.timeout * 2)
        for node in nodes {
            let status = try await node.status()
            let job = try #require(status.jobs.first)
            #expect(job.holder?.node == run.node)
            #expect(job.holder?.runID == run.id)
            #expect(job.holder?.fence == run.fence)
            #expect(job.state == (node.name == run.node ? .running : .standby))
            #expect((job.run != nil) == (node.name == run.node))
        }
        #expect(try fleet.read().runs().count == 1)
        try fleet.expectAtMostOne()
        for node in nodes { try await node.stop() }
    }

    @Test func aStoppedNodeHandsOverWithinMilliseconds() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b", "c"].map { try fleet.node($0) }
                for node in nodes {
                    try node.job("job", fleet.workload(["--period", "2"]))
                    try node.start()
                }
                var gaps: [Duration] = []
                for _ in 0..<20 {
                    let run = try await fleet.waitForRun()
                    let node = try #require(nodes.first { $0.name == run.node })
                    try await node.stop()
                    let next = try await fleet.waitForRun(after: run.last)
                    let history = try fleet.read()
                    #expect(history.lines.contains { $0.run == run.id && $0.event == "term" })
                    let over = try #require(history.runs().first { $0.id == run.id }).last
                    gaps.append(next.first - over)
                    try node.start()
                    try await node.waitForStatus("on standby") { $0.jobs.first?.state == .standby }
                }
                let median = gaps.sorted()[10]
                print(
                    "hand-over, from the last line of one run to the first of the next: median \(median), worst \(gaps.max()!)"
                )
                #expect(median <= .milliseconds(50))
                try fleet.expectAtMostOne()
            }
        }
    }
}
