// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// What real nodes know of each other, and what `batonctl nodes` and `batonctl explain` make of it.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RegistryTests {
    @Test func threeNodesOnOneServerKnowEachOther() async throws {
        try await withServer { server in
            try await withFleet(server: server) { try await knowEachOther($0) }
        }
    }

    @Test(.enabled(if: TestLength.isLong)) func threeNodesOnOneFileKnowEachOther() async throws {
        try await withFleet(timeout: .seconds(4)) { try await knowEachOther($0) }
    }

    private func knowEachOther(_ fleet: Fleet) async throws {
        let nodes = try ["a", "b", "c"].map { try fleet.node($0) }
        for node in nodes {
            try node.job("job", fleet.workload())
            try node.job("other", fleet.workload([], "enabled = false"))
            try node.start()
        }
        let run = try await fleet.waitForRun()
        for node in nodes {
            let report = try await node.waitForNodes("one runs it, two are on standby") { report in
                report.nodes.map(\.running) == ["a", "b", "c"].map { $0 == run.node ? 1 : 0 }
                    && report.nodes.map(\.standby) == ["a", "b", "c"].map { $0 == run.node ? 0 : 1 }
            }
            #expect(report.node == node.name && report.nodes.map(\.name) == ["a", "b", "c"])
            #expect(report.nodes.allSatisfy { $0.differences.isEmpty && $0.version == BatonVersion.current })
            #expect(try await node.status().warnings.contains { $0.contains("job files") } == false)
        }
        let runner = try #require(nodes.first { $0.name == run.node })
        let standbys = nodes.filter { $0.name != run.node }
        try await explains(fleet, runner, standbys)

        // An orderly end is known at once, the end of a machine when its record has run out.
        try await standbys[0].stop()
        let left = try await runner.nodes().nodes.map(\.name)
        #expect(left == nodes.map(\.name).filter { $0 != standbys[0].name })
        let killed = BootClock.now()
        try await standbys[1].crash()
        _ = try await runner.waitForNodes("the killed one is forgotten") { $0.nodes.map(\.name) == [runner.name] }
        let passed = BootClock.now() - killed
        #expect(passed > .seconds(9) && passed < .seconds(20), "\(passed)")
        // A daemon that follows one that was killed replaces what it left.
        try await runner.crash()
        try runner.start()
        _ = try await runner.waitForNodes("it is registered again", within: .seconds(5)) {
            $0.nodes.map(\.running) == [1]
        }
    }

    private func explains(_ fleet: Fleet, _ runner: Node, _ standbys: [Node]) async throws {
        let (asked, other) = (standbys[0], standbys[1])
        let (code, text, errors) = try await asked.batonctl("explain", "job")
        #expect(code == 0, "\(errors)")
        let takeover = "\((fleet.timeout + .milliseconds(100)).milliseconds / 1000).1 s"
        #expect(text.hasPrefix("job does not run here, on \(asked.name): it runs on \(runner.name).\n"), "\(text)")
        #expect(text.contains("takes over at most \(takeover) after its last renewal"), "\(text)")
        #expect(text.contains("\(asked.name) would, and so would \(other.name)."), "\(text)")
        let here = try await runner.batonctl("explain", "job").output
        #expect(here.hasPrefix("job runs here, on \(runner.name), as pid "), "\(here)")
        #expect(here.contains("If this node dies, \(standbys.map(\.name).sorted().joined(separator: " or "))"))
        #expect(try await asked.batonctl("explain", "other").output.contains("says enabled = false"))
        let unknown = try await asked.batonctl("explain", "jbo")
        #expect(unknown.code == 1 && unknown.errors.contains("did you mean \"job\"?"), "\(unknown)")

        #expect(try await asked.batonctl("stop", "job").code == 0)
        try await other.waitForStatus("held down") { $0.jobs.first?.state == .heldDown }
        #expect(
            try await other.batonctl("explain", "job").output.hasPrefix(
                "job runs on no node: it was stopped by an operator on \(asked.name).\n"))
        let before = BootClock.now()
        #expect(try await asked.batonctl("run", "job").code == 0)
        // Whoever is elected now: the rest of the test wants the same runner as before.
        let run = try await fleet.waitForRun(after: before)
        if run.node != runner.name { try await handOver(fleet, to: runner, among: standbys) }
    }

    /// Ends the job on the others until this node has it.
    private func handOver(_ fleet: Fleet, to runner: Node, among others: [Node]) async throws {
        for node in others { try await node.stop() }
        _ = try await fleet.waitForRun(on: runner.name)
        for node in others { try node.start() }
        _ = try await runner.waitForNodes("the others are back") { $0.nodes.count == others.count + 1 }
    }

    @Test func aFileThatDiffersIsShown() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b", "c"].map { try fleet.node($0) }
                for node in nodes {
                    try node.job("job", fleet.workload([], node.name == "b" ? "nice = 5" : ""))
                    if node.name != "c" { try node.job("more", fleet.workload()) }
                    try node.start()
                }
                let report = try await nodes[0].waitForNodes("the differences") {
                    $0.nodes.count == 3 && $0.nodes.contains { !$0.differences.isEmpty }
                }
                #expect(
                    report.nodes.map { $0.differences.map(\.text) }
                        == [[], ["job: differs from a"], ["more: missing, is on a"]])
                let table = try await nodes[0].batonctl("nodes").output
                #expect(table.contains("JOB FILES") && table.contains("job: differs from a"), "\(table)")
                let warnings = try await nodes[2].waitForWarning("job files are not the same on all nodes")
                #expect(warnings.contains { $0.contains("(job, more; on b, c)") }, "\(warnings)")
                #expect(
                    try await nodes[0].batonctl("explain", "job").output.contains(
                        "The job file on b is not the same as on a."))
                #expect(
                    try await nodes[2].batonctl("explain", "more").output.hasPrefix(
                        """
                        more does not run here, on c: this node has no job file of that name.
                        There is one on a and b.
                        """))
                try nodes[1].job("job", fleet.workload())
                try nodes[2].job("more", fleet.workload())
                for node in nodes[1...] {
                    try await node.stop()
                    try node.start()
                }
                _ = try await nodes[0].waitForNodes("no differences") {
                    $0.nodes.count == 3 && $0.nodes.allSatisfy { $0.differences.isEmpty && $0.version != nil }
                }
            }
        }
    }

    @Test func aSecondNodeOfOneNameTakesNoNewRuns() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let first = try fleet.node("a")
                try first.job("job", fleet.workload())
                try first.start()
                let run = try await fleet.waitForRun()
                let instance = try await first.status().instance

                let second = try fleet.node("twin")
                try second.call(itself: "a")
                try second.job("job", fleet.workload())
                try second.job("own", fleet.workload())
                try second.start()
                // At first the record might be its own, of an earlier boot.
                let own = try await fleet.waitForRun(of: "own")
                try await Task.sleep(for: .seconds(5))
                #expect(try await second.status().warnings.contains { $0.contains("has this node's name") } == false)
                _ = try await second.waitForWarning("another live batond (instance \(instance)) has this node's name")
                try await second.waitForStatus("kept from new runs") {
                    $0.jobs.map(\.state) == [.ineligible, .running]
                }
                #expect(
                    try await second.batonctl("explain", "job").output.hasPrefix(
                        "job does not run here, on a: another live batond has this node's name.\n"))
                let table = try await second.batonctl("nodes").output
                #expect(table.hasPrefix("warning: another live batond") && table.contains("a (here)"), "\(table)")
                // What runs goes on; nothing new is begun.
                #expect(try fleet.read().runs(of: "own").count == 1)
                #expect(try await first.status().warnings.contains { $0.contains("name") } == false)
                try await second.waitForLog("another live batond has this node's name: nothing new is started here")

                // The name becomes free: it competes.
                try await first.stop()
                _ = try await fleet.waitForRun(after: run.last, within: .seconds(10))
                #expect(try fleet.read().runs(of: "own").map(\.id) == [own.id])
                try await second.waitForStatus("it has both") { $0.jobs.map(\.state) == [.running, .running] }
                _ = try await second.waitForNodes("it is registered with both") { $0.nodes.map(\.running) == [2] }
                try fleet.expectAtMostOne()
            }
        }
    }

    @Test func withoutItsStoreANodeStartsAndSaysSo() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a", storeURL: "valkey://127.0.0.1:1")
            try node.job("job", fleet.workload())
            try node.start()
            try await node.waitForStatus("waiting for the store") { $0.jobs.first?.state == .waitingForStore }
            let nodes = try await node.batonctl("nodes")
            #expect(nodes.code == 69 && nodes.errors.contains("the store can't be reached"), "\(nodes)")
            let text = try await node.batonctl("explain", "job").output
            #expect(text.hasPrefix("job does not run here, on a: the store can't be asked, or refuses: "), "\(text)")
            try await node.stop()
        }
    }
}

extension Node {
    /// Gives it another name than its folder's.
    fileprivate func call(itself name: String) throws {
        let path = folder + "/etc/batond.toml"
        try String(contentsOfFile: path, encoding: .utf8).replacing(
            "name = \"\(self.name)\"", with: "name = \"\(name)\""
        )
        .write(toFile: path, atomically: true, encoding: .utf8)
    }

    fileprivate func nodes() async throws -> NodesReport {
        let (code, output, errors) = try await batonctl("nodes", "--json")
        guard code == 0 else { throw TestFailure("batonctl nodes on \(name): \(code) \(errors)") }
        return try JSONDecoder().decode(NodesReport.self, from: Data(output.utf8))
    }

    fileprivate func waitForNodes(
        _ what: Comment, within limit: Duration = .seconds(25), _ condition: (NodesReport) -> Bool
    ) async throws -> NodesReport {
        let deadline = BootClock.now() + limit
        var last: NodesReport?
        while BootClock.now() < deadline {
            last = try? await nodes()
            if let last, condition(last) { return last }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw TestFailure("waited in vain: \(what); last: \(String(describing: last))")
    }

    fileprivate func waitForWarning(_ text: String) async throws -> [String] {
        let deadline = BootClock.now() + .seconds(40)
        while BootClock.now() < deadline {
            let warnings = (try? await status())?.warnings ?? []
            if warnings.contains(where: { $0.contains(text) }) { return warnings }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw TestFailure("no warning on \(name): \(text)")
    }

    fileprivate func waitForLog(_ text: String) async throws {
        let deadline = BootClock.now() + .seconds(5)
        while BootClock.now() < deadline {
            if try String(contentsOfFile: folder + "/log", encoding: .utf8).contains(text) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw TestFailure("not in the log of \(name): \(text)")
    }
}
