// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// A server that stops, hangs, restarts, forgets, or can't be reached.
@Suite(.serialized, .timeLimit(.minutes(5))) struct StoreLossTests {
    private func withRunningFleet(
        _ options: TestServer.Options = .init(),
        _ body: (_ fleet: Fleet, _ server: TestServer, _ nodes: [Node], _ run: History.Run) async throws -> Void
    ) async throws {
        try await withServer(options) { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b", "c"].map { try fleet.node($0) }
                for node in nodes {
                    try node.job("job", fleet.workload())
                    try node.start()
                }
                let run = try await fleet.waitForRun()
                try await Task.sleep(for: fleet.timeout * 1.5)
                try await body(fleet, server, nodes, run)
                try fleet.expectAtMostOne()
            }
        }
    }

    private func goesOn(_ fleet: Fleet, _ run: History.Run, for duration: Duration) async throws {
        try await Task.sleep(for: duration)
        let runs = try fleet.read().runs()
        #expect(runs.count == 1)
        #expect(runs.first?.id == run.id)
        #expect(BootClock.now() - (runs.first?.last ?? run.first) < .milliseconds(200))
    }

    @Test func withoutTheServerRunsEndAndOneStartsWhenItIsBack() async throws {
        try await withRunningFleet { fleet, server, _, run in
            let stopped = BootClock.now()
            server.end()
            try await Task.sleep(for: fleet.timeout * 3)
            let ended = try #require(try fleet.read().runs().first)
            #expect(ended.last - stopped < fleet.timeout)
            #expect(try fleet.read().runs().count == 1)
            try await server.start()
            let back = BootClock.now()
            let next = try await fleet.waitForRun(after: back)
            #expect(next.fence > run.fence)
            try await Task.sleep(for: fleet.timeout)
            #expect(try fleet.read().runs().count == 2)
        }
    }

    @Test func aShortHangIsNotNoticed() async throws {
        try await withRunningFleet { fleet, server, _, run in
            server.freeze()
            try await Task.sleep(for: fleet.timeout / 3)
            server.thaw()
            try await goesOn(fleet, run, for: fleet.timeout * 2)
        }
    }

    @Test func aRestartWithItsDataIsNotNoticed() async throws {
        try await withRunningFleet(.init(appendOnly: true)) { fleet, server, _, run in
            try await server.restart(keepingData: true)
            try await goesOn(fleet, run, for: fleet.timeout * 3)
        }
    }

    enum Loss: String, CaseIterable, CustomTestStringConvertible {
        case flush, flushTwice, restartEmpty, restartEmptyTwice, deletedLock
        var testDescription: String { rawValue }
        /// Twice is also once; and what a server loses when it is flushed, it loses when it is restarted.
        static let some: [Loss] = TestLength.isLong ? allCases : [.restartEmptyTwice, .deletedLock]
    }

    @Test(arguments: Loss.some) func lostDataMakesNoSecondRunner(_ loss: Loss) async throws {
        try await withRunningFleet { fleet, server, nodes, run in
            switch loss {
            case .flush: try server.ask("FLUSHALL")
            case .flushTwice:
                try server.ask("FLUSHALL")
                try await Task.sleep(for: .milliseconds(300))
                try server.ask("FLUSHALL")
            case .restartEmpty: try await server.restart(keepingData: false)
            case .restartEmptyTwice:
                try await server.restart(keepingData: false)
                try await Task.sleep(for: .milliseconds(300))
                try await server.restart(keepingData: false)
            case .deletedLock: try server.ask("DEL", "{baton}:job:lock")
            }
            // The holder puts its lock back, and everyone believes it.
            try await goesOn(fleet, run, for: fleet.timeout * 3)
            for node in nodes {
                try await node.waitForStatus("the holder is known again") {
                    $0.jobs.first?.holder?.runID == run.id && $0.jobs.first?.holder?.fence == run.fence
                }
            }
            // And a later grant is still fenced off from it.
            let runner = try #require(nodes.first { $0.name == run.node })
            try await runner.stop()
            let next = try await fleet.waitForRun(after: run.last)
            #expect(next.fence > run.fence)
        }
    }
}
