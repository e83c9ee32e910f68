// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Synchronization
import Testing

@testable import BatonTestSupport

/// A machine with a real systemd as its process 1: a container whose root is this system's, what it writes kept apart.
final class Machine: Sendable {
    private let name = "baton-" + UUID().uuidString.prefix(8).lowercased()
    private let equipment: Equipment
    let folder: String
    /// Where all of it is, on the host.
    let cgroup: String
    /// The same for the number of its processes: where that controller is still of the first version, a group of its own.
    let pidsGroup: String
    private let container = Mutex<Process?>(nil)
    private let first = Mutex<Int32>(0)
    private let lines: Mutex<History>

    private var root: String { folder + "/root" }
    /// Where its workloads write, as they see it: a name that no other process of this system mentions.
    let historyInside: String
    let history: String

    fileprivate init(_ equipment: Equipment) {
        self.equipment = equipment
        folder = "/tmp/" + name
        historyInside = equipment.evidence.map { "/var/lib/\($0.name)/history" } ?? "/var/lib/evidence-\(name)"
        history = equipment.evidence.map { $0.folder + "/history" } ?? "\(folder)/root\(historyInside)"
        lines = Mutex(History(path: history))
        let isPure = FileManager.default.fileExists(atPath: "/sys/fs/cgroup/cgroup.procs")
        cgroup = (isPure ? "/sys/fs/cgroup/" : "/sys/fs/cgroup/unified/") + name
        let pids = "/sys/fs/cgroup/pids"
        pidsGroup = FileManager.default.fileExists(atPath: pids + "/cgroup.procs") ? "\(pids)/\(name)" : cgroup
        Janitor.shared.sweepIfKilled(machineIn: folder, groups: [cgroup, pidsGroup])
    }

    /// Boots, and returns when systemd has started everything.
    fileprivate func boot(nodeFile: String?, jobs: [String: String]) async throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try await must("/bin/mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
        for part in ["upper", "work", "root"] { try Files.makeFolder("\(folder)/\(part)", mode: 0o755) }
        try await must(
            "/bin/mount", "-t", "overlay", "-o",
            "lowerdir=\((equipment.layers + ["/"]).joined(separator: ":")),upperdir=\(folder)/upper,workdir=\(folder)/work",
            "overlay", root)
        for (path, options) in equipment.volumes where !path.hasPrefix("/run/") {
            try Files.makeFolder(volume(path), mode: 0o755)
            try await must("/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", volume(path))
        }

        let units = root + "/etc/systemd/system"
        for unit in [
            "getty.target", "console-getty.service", "redis-server.service", "valkey-server.service",
        ] {
            let path = "\(units)/\(unit)"
            try? FileManager.default.removeItem(atPath: path)
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/null")
        }
        // Not the host's own target: its services have no business here.
        let target = "[Unit]\nRequires=basic.target dbus.service\nAfter=basic.target dbus.service\nAllowIsolate=yes\n"
        try write(target, to: "/etc/systemd/system/baton-test.target")
        try write("", to: "/etc/machine-id")
        try write(equipment.hostname ?? name, to: "/etc/hostname")
        // Images for containers forbid packages to start anything.
        for path in ["/etc/baton", "/usr/sbin/policy-rc.d"] { try? FileManager.default.removeItem(atPath: root + path) }
        if equipment.hasBaton {
            let unit = try String(contentsOfFile: Checkout.path + "/systemd/batond.service", encoding: .utf8)
            try write(unit, to: "/etc/systemd/system/batond.service")
        }
        if let nodeFile { try write(nodeFile, to: "/etc/baton/batond.toml") }
        for (job, text) in jobs { try write(text, to: "/etc/baton/jobs.d/\(job).toml") }
        try await start()
    }

    private func start(in states: [String] = ["running\n"]) async throws {
        // A cgroup of its own, or it would share ours.
        for group in [cgroup, pidsGroup] { try Files.makeFolder(group, mode: 0o755) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments =
            [
                "-c", "echo $$ >\"$1\"/cgroup.procs && echo $$ >\"$2\"/cgroup.procs && shift 2 && exec \"$@\"", "sh",
                cgroup, pidsGroup,
                "/usr/bin/env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "/usr/bin/systemd-nspawn", "--directory=\(root)",
                "--register=no", "--keep-unit", "--machine=\(name)", "--console=read-only",
                equipment.network.map { "--network-namespace-path=/run/netns/\($0)" } ?? "--private-network",
            ] + binds + ["--boot", "systemd.unit=baton-test.target"]
        let console = folder + "/console"
        try Data().write(to: URL(fileURLWithPath: console))
        let output = try #require(FileHandle(forWritingAtPath: console))
        try process.run(output: output, errors: output)
        container.withLock { $0 = process }
        try await waitUntilUp(in: states)
    }

    private var binds: [String] {
        var binds = ["--bind-ro=\(Binary.workload):/usr/bin/test-workload"]
        if equipment.hasBaton {
            binds += [
                "--bind-ro=\(Binary.batond):/usr/bin/batond", "--bind-ro=\(Binary.batonctl):/usr/bin/batonctl",
                "--bind-ro=\(Binary.keeper):/usr/libexec/baton/baton-keeper",
            ]
        }
        binds += equipment.folders.map { "--bind-ro=\($0.value):\($0.key)" }
        for (path, options) in equipment.volumes {
            binds.append(path.hasPrefix("/run/") ? "--tmpfs=\(path):\(options)" : "--bind=\(volume(path)):\(path)")
        }
        if let sharing = equipment.sharing { binds.append("--bind=\(sharing):\(Self.shared)") }
        return binds + (equipment.evidence.map { ["--bind=\($0.folder):/var/lib/\($0.name)"] } ?? [])
    }

    /// Where a volume that outlives a boot is, on the host.
    private func volume(_ path: String) -> String { folder + "/volume" + path.replacing("/", with: "-") }

    /// A folder inside, as the host reaches it.
    func hostPath(_ path: String) -> String { "/proc/\(systemd)/root\(path)" }

    private func waitUntilUp(in states: [String]) async throws {
        let process = try #require(container.withLock { $0 })
        let deadline = BootClock.now() + .seconds(60)
        var state = "no systemd"
        while BootClock.now() < deadline, process.isRunning {
            if let pid = Processes.children(of: process.processIdentifier).first(where: Processes.isSystemd) {
                first.withLock { $0 = pid }
                state = try await enter("systemctl", "is-system-running").output
                if states.contains(state) { return }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        let text = (try? String(contentsOfFile: folder + "/console", encoding: .utf8)) ?? ""
        throw TestFailure("the machine did not boot: \(state)\n\(text.suffix(4000))")
    }

    /// Shut down in an orderly way, and started again; returns when it is up. (nspawn's own reboot wants a tmpfs at the
    /// host's /run.)
    func reboot() async throws {
        _ = try await enter("systemctl", "poweroff")
        try await waitUntilOff()
        try await start()
    }

    /// After a power failure.
    func powerOn() async throws { try await start(in: ["running\n", "degraded\n"]) }

    /// A power failure.
    func losePower() async throws {
        kill(first.withLock { $0 }, SIGKILL)
        try await waitUntilOff()
    }

    func waitUntilOff() async throws {
        let process = try #require(container.withLock { $0 })
        try await eventually(within: .seconds(60), "it is off") { !process.isRunning }
    }

    /// Runs a command inside.
    func enter(_ command: String...) async throws -> (code: Int32, output: String, errors: String) {
        try await run("/usr/bin/nsenter", ["-t", "\(first.withLock { $0 })", "-a"] + command)
    }

    /// Where it sees the folder that it shares.
    static let shared = "/run/baton-shared"

    /// Its first process, as the host knows it.
    var systemd: Int32 { first.withLock { $0 } }

    /// Whether it was not shut down yet.
    var isUp: Bool { container.withLock { $0?.isRunning ?? false } }

    /// Stops every process of it at once, and lets them go on: a machine that is suspended.
    func freeze(_ frozen: Bool) throws {
        try (frozen ? "1" : "0").write(toFile: cgroup + "/cgroup.freeze", atomically: false, encoding: .utf8)
    }

    /// Whether it is frozen, or about to be thawed.
    var isFrozen: Bool {
        let text = try? String(contentsOfFile: cgroup + "/cgroup.freeze", encoding: .utf8)
        return text?.hasPrefix("1") ?? false
    }

    /// What its workloads wrote, and those of the machines that it shares the evidence with.
    func evidence() throws -> History {
        try lines.withLock {
            try $0.update()
            return $0
        }
    }

    /// A property of the unit.
    func property(_ name: String) async throws -> String {
        try await enter("systemctl", "show", "--value", "-p", name, "batond").output
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func journal() async throws -> String {
        try await enter("journalctl", "-u", "batond", "--no-pager", "-o", "short-monotonic").output
    }

    /// The same without the output of workloads.
    func daemonsJournal() async throws -> String {
        try await enter("journalctl", "-t", "batond", "-t", "systemd", "--no-pager", "-o", "short-monotonic").output
    }

    fileprivate func remove() async {
        try? freeze(false)
        let pid = first.withLock { $0 }
        if pid > 0 { kill(pid, SIGKILL) }
        if let process = container.withLock({ $0 }) {
            for _ in 0..<500 where process.isRunning { try? await Task.sleep(for: .milliseconds(10)) }
            if process.isRunning { process.terminate() }
        }
        try? "1".write(toFile: cgroup + "/cgroup.kill", atomically: false, encoding: .utf8)
        _ = try? await run("/bin/umount", ["--lazy", root])
        _ = try? await run("/bin/umount", ["--lazy", folder])
        _ = try? FileManager.default.removeItem(atPath: folder)
        for group in [cgroup, pidsGroup] {
            for _ in 0..<100 where FileManager.default.fileExists(atPath: group) {
                _ = try? await run("/usr/bin/find", [group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"])
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    /// A file of its own, for all to read.
    func write(_ text: String, to path: String) throws {
        let path = root + path
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        chmod(path, 0o644)
    }

    func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: root + path) }

    func read(_ path: String) throws -> String { try String(contentsOfFile: root + path, encoding: .utf8) }

    private func must(_ program: String, _ arguments: String...) async throws {
        let (code, _, errors) = try await run(program, arguments)
        if code != 0 { throw TestFailure("\(program) \(arguments): \(errors)") }
    }
}

/// Runs `body` with a machine that is gone when this returns, whatever happens.
func withMachine(
    nodeFile: String, sharing: String? = nil, jobs: (Machine) -> [String: String],
    _ body: (Machine) async throws -> Void
) async throws {
    try await withMachines([.init(sharing: sharing)], nodeFile: nodeFile, jobs: jobs) { try await body($0[0]) }
}

/// Runs `body` with machines that are gone when this returns, whatever happens.
func withMachines(
    _ equipment: [Machine.Equipment], nodeFile: String? = nil, jobs: (Machine) -> [String: String] = { _ in [:] },
    _ body: ([Machine]) async throws -> Void
) async throws {
    let machines = equipment.map { Machine($0) }
    do {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for machine in machines {
                let jobs = jobs(machine)
                group.addTask { try await machine.boot(nodeFile: nodeFile, jobs: jobs) }
            }
            try await group.waitForAll()
        }
        try await body(machines)
    } catch {
        for machine in machines { print(((try? await machine.journal()) ?? "").suffix(200_000)) }
        await remove(machines)
        throw error
    }
    await remove(machines)
}

private func remove(_ machines: [Machine]) async {
    for machine in machines { await machine.remove() }
}
