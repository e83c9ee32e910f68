// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Rule S11 for nodes: a store with replicas, and failovers by hand.
@Suite(.serialized) struct ReplicaFleetTests {
    /// Two nodes, each with a way of its own to the store; `a` has the run.
    private func withTwoNodes(
        replicas count: Int?,
        _ body: (_ fleet: Fleet, _ replicas: TestReplicas, _ a: Node, _ b: Node, _ run: History.Run) async throws ->
            Void
    ) async throws {
        try await withReplicas { replicas in
            try await withFleet(server: replicas.primary) { fleet in
                let nodes = try ["a", "b"].map { name in
                    let link = try replicas.lead(name, to: replicas.primary)
                    return try fleet.node(name, storeURL: "unix://\(link)", replicas: count)
                }
                for node in nodes { try node.job("job", fleet.workload()) }
                try nodes[0].start()
                let run = try await fleet.waitForRun(on: "a")
                try nodes[1].start()
                try await nodes[1].waitForStatus("it stands by") { $0.jobs.first?.state == .standby }
                // Warm: the waiter has watched the store for longer than T.
                try await Task.sleep(for: fleet.timeout * 1.5)
                try await body(fleet, replicas, nodes[0], nodes[1], run)
            }
        }
    }

    /// The old primary is frozen for a moment; when it goes on, `a` is still connected to it, and `b` to the new one.
    private func failOver(_ replicas: TestReplicas) async throws {
        replicas.primary.freeze()
        try replicas.lead("b", to: replicas.servers[1])
        try await replicas.promote(replicas.servers[1])
        // Not its nodes' connections: it goes on as if nothing had been.
        replicas.primary.thaw()
    }

    @Test func anOldPrimaryThatStillAnswersMakesNoSecondRunner() async throws {
        try await withTwoNodes(replicas: 2) { fleet, replicas, a, b, run in
            #expect(try await a.status().store.replicas == 2)
            #expect(try await a.batonctl("status").output.contains("connected, 2 replicas confirm"))
            #expect(try await a.status().warnings.allSatisfy { !$0.contains("replica") })
            // The promoted one has one replica left; an operator says so to the node that moves.
            try await b.stop()
            try b.setReplicas(1)
            try await failOver(replicas)
            let instant = BootClock.now()
            try b.start()

            let next = try await fleet.waitForRun(on: "b", after: run.first)
            let first = try #require(try fleet.read().runs().first { $0.id == run.id })
            #expect(first.last - instant < fleet.timeout)
            #expect(next.fence > run.fence)
            try await a.waitForStatus("it says what is missing") {
                $0.warnings.contains { $0.contains("of the store's 2 replicas confirm") } && $0.jobs.first?.run == nil
            }
            // The old primary would grant it, again and again.
            try await Task.sleep(for: fleet.timeout * 3)
            try fleet.expectAtMostOne()
            #expect(try fleet.read().runs().count == 2)
            #expect(BootClock.now() - (try fleet.read().runs().last?.last ?? run.first) < .milliseconds(500))

            // The operator brings the old one back as a replica, and the node to the new primary.
            try replicas.lead("a", to: replicas.servers[1])
            try replicas.primary.ask("REPLICAOF", "127.0.0.1", "\(replicas.servers[1].port)")
            try await a.waitForStatus("it stands by") {
                $0.jobs.first?.state == .standby && $0.jobs.first?.holder?.runID == next.id
            }
            try fleet.expectAtMostOne()
        }
    }

    @Test func withoutAReplicaTheRunEndsAndNoneBegins() async throws {
        try await withTwoNodes(replicas: 2) { fleet, replicas, a, b, run in
            replicas.servers[2].freeze()
            let instant = BootClock.now()
            try await a.waitForStatus("its run ended, and it says what is missing") {
                $0.jobs.first?.run == nil && $0.warnings.contains { $0.contains("1 of the store's 2 replicas") }
            }
            let ended = try #require(try fleet.read().runs().first)
            #expect(ended.last - instant < fleet.timeout)
            try await Task.sleep(for: fleet.timeout * 2)
            #expect(try fleet.read().runs().count == 1)
            replicas.servers[2].thaw()
            let next = try await fleet.waitForRun(after: ended.last)
            #expect(next.fence > run.fence)
            try fleet.expectAtMostOne()
        }
    }

    @Test func withoutReplicasTheNodeSaysThatOnlyTheFenceIsSafe() async throws {
        try await withTwoNodes(replicas: nil) { fleet, replicas, a, b, run in
            for node in [a, b] {
                let status = try await node.status()
                #expect(status.store.replicas == nil)
                #expect(status.warnings.contains { $0.contains("after a failover only the fence is safe") })
                let log = try String(contentsOfFile: node.folder + "/log", encoding: .utf8)
                #expect(log.contains("after a failover only the fence is safe"), "told at the start")
            }
            try await b.stop()
            try await failOver(replicas)
            try b.start()
            let next = try await fleet.waitForRun(on: "b", after: run.first)
            #expect(next.fence > run.fence)
            // Promise 1 is not kept here: this is what the test above would see without the rule.
            try await a.waitForStatus("the old primary renews") { $0.jobs.first?.state == .running }
        }
    }
}
