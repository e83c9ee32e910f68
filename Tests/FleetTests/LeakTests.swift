// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// A daemon that starts and stops workloads all the time needs no more for the last than for the first.
///
/// `BATON_LEAK_RUNS` says how many runs there are to be: 10,000 in `make test-long`, else some hundreds.
@Suite(.serialized) struct LeakTests {
    private static let wanted = ProcessInfo.processInfo.environment["BATON_LEAK_RUNS"].flatMap { Int($0) }
    private let runs = Self.wanted ?? (TestLength.isLong ? 10_000 : 400)
    private let rounds = 5
    private let jobs = (0..<8).map { "quick-\($0)" }

    @Test func manyRunsOnAFileLeaveNothing() async throws {
        try await withFleet { try await expectFlat($0) }
    }

    @Test func manyRunsOnAServerLeaveNothing() async throws {
        try await withServer { server in try await withFleet(server: server) { try await expectFlat($0) } }
    }

    /// What a process has.
    private struct Possessions {
        var kilobytes: Int
        var descriptors: [String]
    }

    private func expectFlat(_ fleet: Fleet) async throws {
        let node = try fleet.node("a")
        let counter = fleet.folder + "/count"
        try quieten(node)
        for job in jobs {
            try node.job(job, "shell = \"echo >>\(counter)\"\noutput.to = \"none\"\nrestart.delay = \"1ms\"\n")
        }
        // One that stays, and whose output never ends.
        try node.job("chatter", "shell = \"yes | head -c 100000; while sleep 0.01; do echo x; done\"\n")
        try node.start()
        try await node.waitForStatus("all of it begins") { $0.jobs.count == jobs.count + 1 }
        let workload = try await chatter(node)
        let (keeper, guardian) = try Node.keepers(of: workload)

        var seen: [[Possessions]] = []
        for round in 1...rounds {
            try await go(node, counter, until: runs * round / rounds)
            try await rest(node)
            seen.append([try await settled(node.pid), try possessions(of: keeper), try possessions(of: guardian)])
        }
        for (index, name) in ["batond", "keeper", "guard"].enumerated() {
            let (first, last) = (seen[1][index], seen[rounds - 1][index])
            print("leaks: \(name): \(seen.map { $0[index].kilobytes }) KiB, \(last.descriptors.count) descriptors")
            #expect(first.descriptors == last.descriptors, "descriptors of \(name) are not flat")
            // From the second round on every buffer has its size. A page or two for every hundred runs is a leak.
            let growth = last.kilobytes - first.kilobytes
            #expect(growth <= 1024 + runs / 20, "the memory of \(name) grew by \(growth) KiB in \(runs) runs")
        }
        #expect(try await chatter(node) == workload, "its run went on")
        #expect(Processes.children(of: node.pid).allSatisfy { Processes.isAlive($0) }, "somebody was not reaped")
        try await node.stop()
    }

    /// A node that writes what it must.
    private func quieten(_ node: Node) throws {
        let path = node.folder + "/etc/batond.toml"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try text.replacingOccurrences(of: "\"debug\"", with: "\"warning\"")
            .write(toFile: path, atomically: true, encoding: .utf8)
    }

    private func chatter(_ node: Node) async throws -> Int32 {
        var pid: Int32?
        try await node.waitForStatus("chatter runs") {
            pid = $0.jobs.first { $0.name == "chatter" }?.run?.pid
            return pid != nil
        }
        return try #require(pid)
    }

    /// Lets the quick jobs run until there were so many runs. Meanwhile somebody looks.
    private func go(_ node: Node, _ counter: String, until wanted: Int) async throws {
        for job in jobs { _ = try await node.batonctl("run", job) }
        let deadline = BootClock.now() + .seconds(30) + .milliseconds(100) * runs
        while (try FileManager.default.attributesOfItem(atPath: counter)[.size] as? Int ?? 0) < wanted {
            if BootClock.now() > deadline { throw TestFailure("too few runs in time") }
            _ = try await node.batonctl("status", "--json")
            _ = try await node.batonctl("logs", "chatter")
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Holds the quick jobs down, until none of them is here any more.
    private func rest(_ node: Node) async throws {
        for job in jobs {
            // A machine that is busy with other things may let the store's file wait for its disk.
            try await eventually("\(job) is stopped") { try await node.batonctl("stop", job).code == 0 }
        }
        try await node.waitForStatus("nothing quick runs") { status in
            status.jobs.allSatisfy { $0.name == "chatter" || $0.state == .heldDown }
        }
    }

    /// What a process has once the last requests are over.
    private func settled(_ pid: Int32) async throws -> Possessions {
        var last = try possessions(of: pid)
        for _ in 0..<50 {
            try await Task.sleep(for: .milliseconds(100))
            let now = try possessions(of: pid)
            if now.descriptors == last.descriptors, now.kilobytes == last.kilobytes { return now }
            last = now
        }
        return last
    }

    private func possessions(of pid: Int32) throws -> Possessions {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
        let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
        let folder = "/proc/\(pid)/fd"
        let descriptors = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { name in
            // Which one it is, without the number that differs from one to the next.
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")).map {
                String($0.prefix { $0 != "[" })
            }
        }
        return Possessions(kilobytes: try #require(kilobytes), descriptors: descriptors.sorted())
    }
}
