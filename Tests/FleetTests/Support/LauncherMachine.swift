// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// T of the jobs here.
let launcherTTL = Duration.seconds(4)

/// Boots a machine with one job, `job`, whose runs are started by `launcher`, and starts batond in it.
///
/// With a server, the machine reaches it by its Unix socket, and all machines of the server write one history.
func withLauncherMachine(
    _ launcher: LauncherKind, server: TestServer? = nil, node: String = "a", period: Int = 10, rest: String = "",
    job: ((_ history: String) -> String)? = nil, boot: (Machine) async throws -> Void = { _ in },
    _ body: (Machine, Evidence) async throws -> Void
) async throws {
    let url = server == nil ? "" : "url = \"unix://\(Machine.shared)/server.sock\"\n"
    let nodeFile = """
        [node]
        name = "\(node)"
        launcher = "\(launcher.rawValue)"
        [store]
        \(url)max_lock_timeout = "\(launcherTTL.milliseconds)ms"
        [defaults.lock]
        timeout = "\(launcherTTL.milliseconds)ms"
        """
    func inside(_ machine: Machine) -> String {
        server == nil ? machine.historyInside : "\(Machine.shared)/history"
    }
    let jobs = { (machine: Machine) in
        let command = ["/usr/bin/test-workload", inside(machine), "--daemonise", "--period", "\(period)"]
        return ["job": job?(inside(machine)) ?? "command = \(command)\n\(rest)"]
    }
    try await withMachine(nodeFile: nodeFile, sharing: server?.folder, jobs: jobs) { machine in
        try await boot(machine)
        let started = try await machine.enter("systemctl", "start", "batond")
        #expect(started.code == 0, "\(started.errors)")
        try await body(machine, Evidence(path: server.map { $0.folder + "/history" } ?? machine.history))
    }
}

/// What the workloads of the machines wrote.
struct Evidence: Sendable {
    let path: String

    /// Of a file beside the history: that of processes with another story.
    func lines(_ name: String? = nil) throws -> [History.Line] { try read(name).lines }

    func runs() throws -> [History.Run] { try read().runs() }

    func violations() throws -> [String] { try read().violations() }

    private func read(_ name: String? = nil) throws -> History {
        var history = History(path: path + (name.map { "-" + $0 } ?? ""))
        try history.update()
        return history
    }

    /// Waits for a run, with so many processes.
    func run(after other: History.Run? = nil, processes: Int = 1) async throws -> History.Run {
        var found: History.Run?
        try await eventually(within: .seconds(40), "a run") {
            found = try runs().last {
                $0.first > other?.first ?? Instant(nanoseconds: 0) && $0.pids.count >= processes
            }
            return found != nil
        }
        return try #require(found)
    }
}

extension Machine {
    /// What its daemon says of the job; nil: it says nothing now.
    func status() async throws -> StatusReport.Job? {
        let (code, output, _) = try await enter("batonctl", "status", "--json")
        if code != 0 { return nil }
        return try JSONDecoder().decode(StatusReport.self, from: Data(output.utf8)).jobs.first
    }

    /// The ids of the runs that the daemon has begun to start, as its log says.
    func startedRuns() async throws -> Set<String> {
        Set(
            try await journal().split(separator: "\n").filter { $0.contains("starting job=job") }.compactMap {
                $0.firstMatch(of: #/run=(\w+)/#).map { String($0.1) }
            })
    }

    /// What systemd says of how exposed batond's unit is.
    func exposure() async throws -> String {
        let output = try await enter("systemd-analyze", "--no-pager", "security", "batond.service").output
        return output.split(separator: "\n").last.map(String.init) ?? ""
    }

    /// Keeper and guard of a run, as the host knows them.
    func keepers(of run: History.Run) throws -> (keeper: Int32, guardian: Int32) {
        let both = Processes.mentioning("/run/baton/runs/job/\(run.id)").filter {
            Processes.commandLine($0).contains("baton-keeper ")
        }
        let keeper = try #require(both.first { pid in Processes.parent(of: pid).map(both.contains) ?? false })
        return (keeper, try #require(Processes.parent(of: keeper)))
    }
}
