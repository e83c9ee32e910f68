// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Files that change under a running daemon.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ReloadTests {
    @Test func onlyWhatMattersToAProcessRestartsIt() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            for name in ["same", "quiet", "loud", "gone", "off"] { try node.job(name, fleet.workload()) }
            try node.job("sleeping", fleet.workload([], "enabled = false"))
            try node.start()
            let before = try await runs(fleet, ["same", "quiet", "loud", "gone", "off"])

            try node.job("quiet", fleet.workload([], "description = \"now with words\"\nlock.timeout = \"1900ms\""))
            try node.job("loud", fleet.workload([], "environment = { COLOUR = \"red\" }"))
            try node.job("off", fleet.workload([], "enabled = false"))
            try node.job("sleeping", fleet.workload())
            try node.job("new", fleet.workload())
            try FileManager.default.removeItem(atPath: "\(node.folder)/etc/jobs.d/gone.toml")

            let planned = try await report(node.batonctl("check", "--diff", "--json"))
            #expect(try await node.status().jobs.map(\.name).contains("new") == false, "a look changes nothing")
            let done = try await report(node.batonctl("reload", "--json"))
            #expect(planned == done)
            #expect(done.added == ["new"])
            #expect(done.removed == ["gone"])
            #expect(done.changed.map(\.job) == ["loud", "off", "quiet", "sleeping"])
            #expect(
                done.changed.first { $0.job == "quiet" }?.keys == ["description", "lock.timeout", "lock.lost_grace"])
            #expect(done.restarted == ["loud"])
            #expect(done.stopped == ["gone", "off"])
            #expect(done.unchanged == ["same"])

            let loud = try await fleet.waitForRun(of: "loud", after: before["loud"]?.last ?? BootClock.now())
            let earlier = try #require(before["loud"])
            #expect(loud.fence > earlier.fence)
            #expect(environment(of: try #require(loud.pids.first)).contains("COLOUR=red"))
            _ = try await fleet.waitForRun(of: "new")
            _ = try await fleet.waitForRun(of: "sleeping")
            try await node.waitForStatus("gone is gone, off is off") { status in
                !status.jobs.contains { $0.name == "gone" }
                    && status.jobs.contains { $0.name == "off" && $0.state == .disabled }
            }
            for name in ["gone", "off"] {
                let run = try #require(before[name])
                #expect(run.pids.allSatisfy { !Processes.isAlive($0) })
                #expect(try fleet.read().lines.contains { $0.run == run.id && $0.event == "term" })
            }
            try await expectUntouched(["same", "quiet"], before, node, fleet)
            let quiet = try await node.status().jobs.first { $0.name == "quiet" }
            #expect(quiet?.description == "now with words")

            // The lock of a removed job is free: another node has it at once.
            let other = try fleet.node("b")
            try other.job("gone", fleet.workload())
            let asked = BootClock.now()
            try other.start()
            let taken = try await fleet.waitForRun(of: "gone", on: "b", after: asked)
            #expect(taken.first - asked < fleet.timeout)
            try await other.stop()
            try await node.stop()
            try fleet.expectAtMostOne()
        }
    }

    @Test func aQuietChangeCountsForTheNextRun() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload())
            try node.start()
            let first = try await fleet.waitForRun()
            try node.job("job", fleet.workload([], "restart.policy = \"never\"\nstop.timeout = \"7s\""))
            let done = try await report(node.batonctl("reload", "--json"))
            #expect(done.changed.first?.keys == ["stop.timeout", "restart.policy"])
            #expect(done.restarted.isEmpty)
            try await expectUntouched(["job"], ["job": first], node, fleet)
            // Its end goes by the new policy already.
            for pid in first.pids { kill(pid, SIGKILL) }
            try await node.waitForStatus("done, by the new policy") {
                $0.jobs.first?.state == .finished && $0.jobs.first?.lastRun?.runID == first.id
            }
            #expect(try await node.batonctl("run", "job").code == 0)
            let second = try await fleet.waitForRun(after: first.last)
            #expect(second.fence > first.fence)
            try await node.stop()
        }
    }

    /// On every node in turn, as one rolls a change out: one restart, where it ran.
    @Test func aRestartStaysOnItsNode() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b", "c"].map { try fleet.node($0) }
                for node in nodes {
                    try node.job("job", fleet.workload())
                    try node.start()
                }
                let first = try await fleet.waitForRun()
                for node in nodes {
                    try await node.waitForStatus("it stands by, or runs") { status in
                        [.standby, .running].contains(status.jobs.first?.state)
                    }
                }
                for node in nodes { try node.job("job", fleet.workload([], "nice = 1")) }
                for node in nodes {
                    let done = try await report(node.batonctl("reload", "--json"))
                    #expect(done.restarted == (node.name == first.node ? ["job"] : []))
                    try await node.waitForStatus("it stands by, or runs") { status in
                        [.standby, .running].contains(status.jobs.first?.state)
                    }
                }
                let second = try await fleet.waitForRun(after: first.last)
                #expect(second.node == first.node)
                #expect(second.fence == first.fence + 1)
                let shown = try await nodes.first { $0.name == first.node }?.status().jobs.first
                #expect(shown?.holder?.runID == second.id)
                #expect(shown?.holder?.fence == second.fence)
                #expect(shown?.lastRun?.outcome == "stopped")
                // It lives on by renewals, past the lease that it began with.
                try await fleet.waitFor("a renewed lease") { history in
                    history.runs().last.flatMap {
                        $0.id == second.id && $0.last > $0.first + fleet.timeout * 2 ? () : nil
                    }
                }
                // When it is stopped, another takes over, with a larger fence.
                let holder = try #require(nodes.first { $0.name == second.node })
                try await holder.stop()
                let third = try await fleet.waitForRun(after: second.last)
                #expect(third.fence > second.fence)
                for node in nodes where node.name != holder.name { try await node.stop() }
                #expect(try fleet.read().runs().count <= 4)
                try fleet.expectAtMostOne()
            }
        }
    }

    /// The lock that is kept for a restart is not kept from an operator.
    @Test func aRestartOfWhatIsRemovedOrStoppedMeanwhileReleases() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            for name in ["removed", "held"] {
                try node.job(name, fleet.workload(["--ignore-term"], "stop.timeout = \"1s\""))
            }
            try node.start()
            let before = try await runs(fleet, ["removed", "held"])
            for name in ["removed", "held"] {
                try node.job(name, fleet.workload(["--ignore-term"], "stop.timeout = \"1s\"\nnice = 1"))
            }
            #expect(try await report(node.batonctl("reload", "--json")).restarted == ["held", "removed"])
            #expect(try await node.batonctl("stop", "held").code == 0)
            try FileManager.default.removeItem(atPath: "\(node.folder)/etc/jobs.d/removed.toml")
            #expect(try await report(node.batonctl("reload", "--json")).removed == ["removed"])
            try await node.waitForStatus("one is held down, the other is gone") { status in
                status.jobs.map(\.name) == ["held"] && status.jobs.first?.state == .heldDown
                    && status.jobs.first?.holder == nil
            }
            try await Task.sleep(for: fleet.timeout)
            for (name, run) in before { #expect(try fleet.read().runs(of: name).map(\.id) == [run.id]) }
            let other = try fleet.node("b")
            try other.job("removed", fleet.workload())
            let asked = BootClock.now()
            try other.start()
            #expect(try await fleet.waitForRun(of: "removed", on: "b", after: asked).first - asked < fleet.timeout)
            try await other.stop()
            try await node.stop()
            try fleet.expectAtMostOne()
        }
    }

    @Test func aBadFileChangesNothing() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload())
            try node.start()
            let run = try await fleet.waitForRun()
            try node.job("job", fleet.workload([], "nice = 5"))
            try node.job("new", fleet.workload())
            let path = "\(node.folder)/etc/jobs.d/bad.toml"
            try "comand = [\"/bin/true\"]\n".write(toFile: path, atomically: true, encoding: .utf8)

            for verb in [["reload"], ["check", "--diff"]] {
                let (code, output, errors) = try await ask(node, verb)
                #expect(code == 78)
                #expect(output.isEmpty)
                let told = try await checked(node)
                for line in told { #expect(errors.contains(line), "\(errors)") }
                #expect(errors.contains("\(path):1:"))
                #expect(errors.contains("nothing was changed"))
            }
            let (code, output, _) = try await node.batonctl("reload", "--json")
            #expect(code == 78)
            let refusal = try JSONDecoder().decode(ReloadRefusal.self, from: Data(output.utf8))
            #expect(refusal.errors.contains { $0.file == path && $0.line == 1 })
            try await expectUntouched(["job"], ["job": run], node, fleet)
            let status = try await node.status()
            #expect(status.jobs.map(\.name) == ["job"])
            #expect(status.warnings.contains { $0.contains("was refused") && $0.contains(path) })

            // A node's file that is bad, a folder that is no folder, a file that cannot be read.
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/etc/hostname")
            #expect(try await node.batonctl("reload").errors.contains("\(path): is a symbolic link"))
            try FileManager.default.removeItem(atPath: path)
            let nodeFile = "\(node.folder)/etc/batond.toml"
            let good = try String(contentsOfFile: nodeFile, encoding: .utf8)
            try (good + "[log\n").write(toFile: nodeFile, atomically: true, encoding: .utf8)
            #expect(try await node.batonctl("reload").errors.contains("\(nodeFile):"))
            try FileManager.default.removeItem(atPath: nodeFile)
            let gone = try await node.batonctl("reload")
            #expect(gone.code == 78)
            #expect(gone.errors.contains("\(nodeFile): cannot be read: No such file or directory"))
            try await expectUntouched(["job"], ["job": run], node, fleet)

            // Mended, all of it counts.
            try good.write(toFile: nodeFile, atomically: true, encoding: .utf8)
            let done = try await report(node.batonctl("reload", "--json"))
            #expect(done.added == ["new"])
            #expect(done.restarted == ["job"])
            _ = try await fleet.waitForRun(after: run.last)
            #expect(try await node.status().warnings.contains { $0.contains("was refused") } == false)
            try await node.stop()
            try fleet.expectAtMostOne()
        }
    }

    @Test func aFolderThatCannotBeReadIsNotAnEmptyOne() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload())
            try node.start()
            let run = try await fleet.waitForRun()
            let folder = "\(node.folder)/etc/jobs.d"
            try FileManager.default.moveItem(atPath: folder, toPath: folder + ".away")
            try Data().write(to: URL(fileURLWithPath: folder))
            let (code, _, errors) = try await node.batonctl("reload")
            #expect(code == 78)
            #expect(errors.contains("\(folder): cannot be read: Not a directory"), "\(errors)")
            try await expectUntouched(["job"], ["job": run], node, fleet)
            try await node.stop()
        }
    }

    @Test func whatIsRemovedAndAddedAgainWhileItStopsRunsOnce() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            let path = "\(node.folder)/etc/jobs.d/job.toml"
            let text = fleet.workload(["--ignore-term"], "stop.timeout = \"1s\"")
            try node.job("job", text)
            try node.start()
            let first = try await fleet.waitForRun()
            for _ in 0..<3 {
                try FileManager.default.removeItem(atPath: path)
                #expect(try await report(node.batonctl("reload", "--json")).removed == ["job"])
                #expect(try await node.status().jobs.first?.state == .stopping)
                try node.job("job", text)
                #expect(try await report(node.batonctl("reload", "--json")).added == ["job"])
            }
            let second = try await fleet.waitForRun(after: first.first + .seconds(1))
            #expect(second.fence > first.fence)
            try await Task.sleep(for: .milliseconds(300))
            #expect(try fleet.read().runs().count == 2)
            try await node.stop()
            try fleet.expectAtMostOne()
        }
    }

    @Test func manyReloadsAtOnceAreOneAfterTheOther() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload())
            try node.start()
            let run = try await fleet.waitForRun()
            try node.job("new", fleet.workload())
            let reports = try await withThrowingTaskGroup(of: ReloadReport.self) { group in
                for _ in 0..<8 { group.addTask { try await self.report(node.batonctl("reload", "--json")) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(reports.count { $0.added == ["new"] } == 1, "the others find nothing new")
            #expect(reports.count { $0.added.isEmpty && $0.unchanged == ["job", "new"] } == 7)
            try await expectUntouched(["job"], ["job": run], node, fleet)
            try await node.stop()
            try fleet.expectAtMostOne()
        }
    }

    @Test func aNodeThatStopsTakesNothingOver() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload(["--ignore-term"], "stop.timeout = \"2s\""))
            try node.start()
            _ = try await fleet.waitForRun()
            node.signal(SIGTERM)
            try await node.waitForStatus("it stops") { $0.jobs.first?.state == .stopping }
            try node.job("new", fleet.workload())
            let (code, _, errors) = try await node.batonctl("reload")
            #expect(code == 1)
            #expect(errors.contains("this batond is stopping"), "\(errors)")
            #expect(try await node.exitCode() == 0)
            #expect(try fleet.read().runs(of: "new").isEmpty)
        }
    }

    @Test func aChangedNodeFileCountsAsFarAsItCan() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload())
            try node.start()
            let run = try await fleet.waitForRun()
            let path = "\(node.folder)/etc/batond.toml"
            let text = try String(contentsOfFile: path, encoding: .utf8)
                .replacingOccurrences(of: "debug", with: "error").replacingOccurrences(of: "300ms", with: "200ms")
            try FileManager.default.createDirectory(
                atPath: "\(node.folder)/more", withIntermediateDirectories: false)
            try fleet.workload().write(toFile: "\(node.folder)/more/new.toml", atomically: true, encoding: .utf8)
            try (text + "\n[jobs]\ndirectories = [\"\(node.folder)/etc/jobs.d\", \"\(node.folder)/more\"]\n")
                .write(toFile: path, atomically: true, encoding: .utf8)
            let (code, output, errors) = try await node.batonctl("reload")
            #expect(code == 0, "\(errors)")
            #expect(output.contains("only after a restart of batond: store.request_timeout"), "\(output)")
            #expect(output.contains("batond.toml: log.level, jobs.directories"))
            _ = try await fleet.waitForRun(of: "new")
            try await expectUntouched(["job"], ["job": run], node, fleet)
            #expect(
                try await node.status().warnings.contains {
                    $0.hasSuffix("counts only after a restart of batond: store.request_timeout")
                })
            // The level counts: a line at debug would come with every event.
            let size = try FileManager.default.attributesOfItem(atPath: "\(node.folder)/log")[.size] as? Int
            try await Task.sleep(for: fleet.timeout)
            #expect(try FileManager.default.attributesOfItem(atPath: "\(node.folder)/log")[.size] as? Int == size)
            try await node.stop()
        }
    }

    @Test func systemdIsToldOfEachReload() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload())
            let systemd = try NotifySocket(path: "\(node.folder)/notify")
            node.environment = ["NOTIFY_SOCKET": systemd.path]
            try node.start()
            #expect(try await systemd.messages(1) == ["READY=1"])
            let run = try await fleet.waitForRun()

            // By the signal that systemd itself sends with Type=notify-reload.
            try node.job("new", fleet.workload())
            let before = monotonicMicroseconds()
            node.signal(SIGHUP)
            let heard = try await systemd.messages(3)
            try expectReload(heard.dropFirst(), after: before)
            _ = try await fleet.waitForRun(of: "new")

            // With a bad file as well: the daemon is as ready as before.
            try node.job("bad", "nonsense")
            node.signal(SIGHUP)
            try expectReload(try await systemd.messages(5).dropFirst(3), after: before)
            #expect(try String(contentsOfFile: "\(node.folder)/log", encoding: .utf8).contains("reload refused"))

            // Two signals and a batonctl: pairs, never mixed.
            try FileManager.default.removeItem(atPath: "\(node.folder)/etc/jobs.d/bad.toml")
            node.signal(SIGHUP)
            #expect(try await node.batonctl("reload").code == 0)
            let all = try await systemd.messages(9)
            for start in [5, 7] { try expectReload(all[start..<start + 2], after: before) }

            #expect(try await node.batonctl("check", "--diff").code == 0)
            try await expectUntouched(["job"], ["job": run], node, fleet)
            node.signal(SIGTERM)
            #expect(try await node.exitCode() == 0)
            #expect(systemd.messages().dropFirst(9).first == "STOPPING=1")
        }
    }

    private func expectReload(_ messages: ArraySlice<String>, after: Int64) throws {
        let first = try #require(messages.first)
        #expect(first.hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
        #expect(try #require(Int64(first.split(separator: "=").last ?? "")) >= after)
        #expect(messages.dropFirst().first == "READY=1")
    }

    private func monotonicMicroseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    // MARK: - Support

    private func ask(_ node: Node, _ arguments: [String]) async throws -> (code: Int32, output: String, errors: String)
    {
        try await run(Binary.batonctl, arguments + ["--socket", node.socket])
    }

    /// The errors as `batonctl check` tells them.
    private func checked(_ node: Node) async throws -> [String] {
        let (code, _, errors) = try await run(Binary.batonctl, ["check", "\(node.folder)/etc/batond.toml"])
        #expect(code == 78)
        return errors.split(separator: "\n").map(String.init).filter { $0.hasPrefix("error: ") }
    }

    private func report(
        _ answer: (code: Int32, output: String, errors: String)
    ) throws -> ReloadReport {
        guard answer.code == 0 else { throw TestFailure("\(answer)") }
        return try JSONDecoder().decode(ReloadReport.self, from: Data(answer.output.utf8))
    }

    private func runs(_ fleet: Fleet, _ jobs: [String]) async throws -> [String: History.Run] {
        var found: [String: History.Run] = [:]
        for job in jobs { found[job] = try await fleet.waitForRun(of: job) }
        return found
    }

    /// The same processes and fence as before, alive, and the only run.
    private func expectUntouched(
        _ jobs: [String], _ before: [String: History.Run], _ node: Node, _ fleet: Fleet,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        for job in jobs {
            let now = try await fleet.waitForRun(of: job, sourceLocation: sourceLocation)
            #expect(now.id == before[job]?.id, sourceLocation: sourceLocation)
            #expect(now.pids == before[job]?.pids, sourceLocation: sourceLocation)
            #expect(now.fence == before[job]?.fence, sourceLocation: sourceLocation)
            let shown = try await node.status().jobs.first { $0.name == job }
            #expect(shown?.run?.runID == now.id, sourceLocation: sourceLocation)
            #expect(shown?.holder?.fence == now.fence, sourceLocation: sourceLocation)
        }
    }

    private func environment(of pid: Int32) -> [String] {
        let bytes = ((try? Files.read("/proc/\(pid)/environ", limit: 1 << 20)) ?? nil) ?? []
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }
}
