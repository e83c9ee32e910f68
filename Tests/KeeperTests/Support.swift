// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import Synchronization
import Testing

/// One run with the real `baton-keeper`: its directory, the connection, and what came over it.
struct Run: Sendable {
    let directory: RunDirectory
    let spec: LaunchSpec
    let link: KeeperLink
    let reactor: Reactor
    let log: EventLog
    /// A number that is in the command line of every process of the run, to find them by.
    let marker: String
    /// A folder that the workload may write into.
    let scratch: String

    func report<Found: Sendable>(
        within limit: Duration = .seconds(10), _ select: @escaping @Sendable (KeeperReport) -> Found?
    ) async throws -> Found {
        try await log.wait(within: limit) { event in
            if case .report(let report) = event { return select(report) }
            return nil
        }
    }

    func hello() async throws -> KeeperReport.Hello {
        try await report { if case .hello(let hello) = $0 { hello } else { nil } }
    }

    func started() async throws -> Int32 {
        try await report { if case .started(let pid, _) = $0 { pid } else { nil } }
    }

    func end(within limit: Duration = .seconds(10)) async throws -> RunEnd {
        try await report(within: limit) { if case .ended(let end) = $0 { end } else { nil } }
    }

    func status(within limit: Duration = .seconds(10)) async throws -> RunEnd {
        try await until(within: limit) { try directory.status() }
    }

    func go(for duration: Duration) -> Instant {
        let deadline = BootClock.now() + duration
        link.send(.go(deadline: deadline))
        return deadline
    }

    /// What the workload wrote into a file of its scratch folder; waits for it.
    func wrote(_ name: String) async throws -> String {
        try await until { () throws -> String? in
            guard let bytes = try Files.read("\(scratch)/\(name)", limit: 1 << 20), bytes.last == 10 else { return nil }
            return String(decoding: bytes.dropLast(), as: UTF8.self)
        }
    }

    /// The living processes of the run, found in a way that Baton itself does not use.
    func living() -> [Int32] { processes(withArgument: marker) }
}

/// Events in the order of their arrival, with the time of it.
final class EventLog: Sendable {
    private let events = Mutex<[(event: KeeperLink.Event, at: Instant)]>([])

    func append(_ event: KeeperLink.Event) { events.withLock { $0.append((event, BootClock.now())) } }

    var all: [KeeperLink.Event] { events.withLock { $0.map(\.event) } }

    func wait<Found: Sendable>(
        within limit: Duration, _ select: @escaping @Sendable (KeeperLink.Event) -> Found?
    ) async throws -> Found {
        try await until(within: limit) { all.lazy.compactMap(select).first }
    }
}

struct TookTooLong: Error {}

/// Waits for a condition, with a bound.
func until<Found>(within limit: Duration = .seconds(10), _ condition: () throws -> Found?) async throws -> Found {
    let deadline = BootClock.now() + limit
    while true {
        if let found = try condition() { return found }
        if BootClock.now() > deadline { throw TookTooLong() }
        try await Task.sleep(for: .milliseconds(2))
    }
}

func expectGone(_ run: Run, within limit: Duration = .seconds(5)) async throws {
    do {
        try await until(within: limit) { run.living().isEmpty ? () : nil }
    } catch {
        Issue.record("still there: \(run.living())")
    }
}

/// Where the real binary is: beside the tests.
let keeperPath: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let own = String(decoding: buffer[..<max(count, 0)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let beside = own.split(separator: "/").dropLast().joined(separator: "/")
    for folder in ["/" + beside, "/" + beside + "/.."] where access(folder + "/baton-keeper", X_OK) == 0 {
        return folder + "/baton-keeper"
    }
    return ".build/debug/baton-keeper"
}()

let runsAsRoot = geteuid() == 0

/// A cgroup of our own in which a run's can be made; nil: this machine or user has none.
let parentCgroup: Cgroup? = {
    guard let own = Cgroup.own(), let probe = try? own.makeChild(job: "probe", runID: "\(getpid())") else { return nil }
    probe.remove()
    return own
}()

/// A run of a shell script. In it, `$M` is the marker: `sleep $M` sleeps long and can be found.
func withRun(
    _ script: String, cgroup: Bool = parentCgroup != nil, job: String = "job",
    runtime: String? = nil, configure: (inout LaunchSpec) -> Void = { _ in },
    body: (Run) async throws -> Void
) async throws {
    let id = try randomBytes(6).map { String($0, radix: 16) }.joined()
    let marker = "1000." + String(UInt64.random(in: 1_000_000_000...9_999_999_999))
    let home = runtime ?? "/tmp/baton-keeper-\(id)"
    if runtime == nil { mkdir(home, 0o711) }
    let scratch = "\(home)/scratch-\(id)"
    mkdir(scratch, 0o777)
    chmod(scratch, 0o777)
    let directory = RunDirectory(runtime: home, job: job, runID: "run\(id)")
    var spec = LaunchSpec(job: job, runID: directory.runID, arguments: ["/bin/sh", "-c", script])
    spec.environment = ["PATH=/usr/bin:/bin", "BATON_RUN_ID=\(directory.runID)", "M=\(marker)"]
    spec.workingDirectory = scratch
    spec.output = .none
    spec.lostGrace = .milliseconds(300)
    spec.stopTimeout = .seconds(2)
    let own = cgroup ? try parentCgroup?.makeChild(job: job, runID: directory.runID) : nil
    defer { own?.remove() }
    spec.cgroup = own?.path
    configure(&spec)
    try directory.create()
    try directory.write(spec)
    let reactor = try Reactor()
    let link = try KeeperLink.launch(in: directory, keeper: keeperPath, reactor: reactor)
    let run = Run(
        directory: directory, spec: spec, link: link, reactor: reactor, log: EventLog(), marker: marker,
        scratch: scratch)
    defer {
        for pid in processes(withArgument: directory.path) { kill(pid, SIGKILL) }
        for pid in run.living() { kill(pid, SIGKILL) }
        _ = KeeperLink.killTree(spec)
        reactor.stop()
        if runtime == nil { removeFolder(home) }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { for await event in link.events { run.log.append(event) } }
        do {
            try await body(run)
        } catch {
            Issue.record("\(error); so far: \(run.log.all); living: \(run.living())")
        }
        link.close()
        try await group.waitForAll()
    }
}

/// A second daemon: connects to the run's keeper, and records what it says.
func withAdoption(of run: Run, body: (Run) async throws -> Void) async throws {
    let link = try KeeperLink.connect(to: run.directory, reactor: run.reactor)
    let adopted = Run(
        directory: run.directory, spec: run.spec, link: link, reactor: run.reactor, log: EventLog(),
        marker: run.marker, scratch: run.scratch)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { for await event in link.events { adopted.log.append(event) } }
        defer { link.close() }
        try await body(adopted)
    }
}

/// Processes that are no zombies and have `text` in one of their arguments.
func processes(withArgument text: String) -> [Int32] {
    guard let folder = opendir("/proc") else { return [] }
    defer { closedir(folder) }
    var found: [Int32] = []
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard let pid = Int32(name), pid != getpid() else { continue }
        guard let line = (try? Files.read("/proc/\(pid)/cmdline", limit: 1 << 20)) ?? nil else { continue }
        if String(decoding: line, as: UTF8.self).contains(text), !isZombie(pid) { found.append(pid) }
    }
    return found
}

func isZombie(_ pid: Int32) -> Bool {
    guard let bytes = (try? Files.read("/proc/\(pid)/stat", limit: 4096)) ?? nil else { return true }
    return String(decoding: bytes, as: UTF8.self).contains(") Z ")
}

func text(_ path: String) -> String {
    String(decoding: ((try? Files.read(path, limit: 4 << 20)) ?? nil) ?? [], as: UTF8.self)
}

func removeFolder(_ path: String) {
    guard let folder = opendir(path) else { return }
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name == "." || name == ".." { continue }
        if unlink("\(path)/\(name)") != 0 { removeFolder("\(path)/\(name)") }
    }
    closedir(folder)
    rmdir(path)
}
