// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Synchronization
import Testing

@testable import BatonTestSupport

/// A machine with a real systemd as its process 1: a container whose root is this system's, what it writes kept apart.
///
/// The programs under test are installed in it, with the unit as it ships.
final class Machine: Sendable {
    private let name = "baton-" + UUID().uuidString.prefix(8).lowercased()
    private let folder: String
    /// Where all of it is, on the host.
    let cgroup: String
    /// A folder of the host's that it sees as `Machine.shared`; nil: none.
    private let sharing: String?
    private let container = Mutex<Process?>(nil)
    private let first = Mutex<Int32>(0)

    private var root: String { folder + "/root" }
    /// Where its workloads write, as they see it: a name that no other process of this system mentions.
    var historyInside: String { "/var/lib/evidence-\(name)" }
    var history: String { root + historyInside }

    fileprivate init(sharing: String?) {
        self.sharing = sharing
        folder = "/tmp/" + name
        let isPure = FileManager.default.fileExists(atPath: "/sys/fs/cgroup/cgroup.procs")
        cgroup = (isPure ? "/sys/fs/cgroup/" : "/sys/fs/cgroup/unified/") + name
    }

    /// Boots, and returns when systemd has started everything.
    fileprivate func boot(nodeFile: String, jobs: [String: String]) async throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try await must("/bin/mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
        for part in ["upper", "work", "root"] { try Files.makeFolder("\(folder)/\(part)", mode: 0o755) }
        try await must(
            "/bin/mount", "-t", "overlay", "-o", "lowerdir=/,upperdir=\(folder)/upper,workdir=\(folder)/work",
            "overlay", root)

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
        try write(target, to: units + "/baton-test.target")
        try write("", to: root + "/etc/machine-id")
        try write(name, to: root + "/etc/hostname")
        try write(
            String(contentsOfFile: Self.checkout + "/systemd/batond.service", encoding: .utf8),
            to: units + "/batond.service")
        try? FileManager.default.removeItem(atPath: root + "/etc/baton")
        try FileManager.default.createDirectory(
            atPath: root + "/etc/baton/jobs.d", withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o755])
        try write(nodeFile, to: root + "/etc/baton/batond.toml")
        for (job, text) in jobs { try write(text, to: root + "/etc/baton/jobs.d/\(job).toml") }

        // A cgroup of its own, or it would share ours.
        try Files.makeFolder(cgroup, mode: 0o755)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", "echo $$ >\"$1\"/cgroup.procs && shift && exec \"$@\"", "sh", cgroup,
            "/usr/bin/env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "/usr/bin/systemd-nspawn", "--directory=\(root)",
            "--register=no", "--keep-unit", "--private-network", "--machine=\(name)", "--console=read-only",
            "--bind-ro=\(Binary.batond):/usr/bin/batond", "--bind-ro=\(Binary.batonctl):/usr/bin/batonctl",
            "--bind-ro=\(Binary.keeper):/usr/libexec/baton/baton-keeper",
            "--bind-ro=\(Binary.workload):/usr/bin/test-workload",
        ]
        if let sharing { process.arguments?.append("--bind=\(sharing):\(Self.shared)") }
        process.arguments? += [
            "--boot", "systemd.unit=baton-test.target",
        ]
        let console = folder + "/console"
        try Data().write(to: URL(fileURLWithPath: console))
        let output = try #require(FileHandle(forWritingAtPath: console))
        (process.standardOutput, process.standardError) = (output, output)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        container.withLock { $0 = process }

        let deadline = BootClock.now() + .seconds(60)
        var state = "no systemd"
        while BootClock.now() < deadline, process.isRunning {
            if let pid = Processes.children(of: process.processIdentifier).first(where: Processes.isSystemd) {
                first.withLock { $0 = pid }
                state = try await enter("systemctl", "is-system-running").output
                if state == "running\n" { return }
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        let text = (try? String(contentsOfFile: console, encoding: .utf8)) ?? ""
        throw TestFailure("the machine did not boot: \(state)\n\(text.suffix(4000))")
    }

    /// Runs a command inside.
    func enter(_ command: String...) async throws -> (code: Int32, output: String, errors: String) {
        try await run("/usr/bin/nsenter", ["-t", "\(first.withLock { $0 })", "-a"] + command)
    }

    static let shared = "/run/baton-shared"

    /// Its first process, as the host knows it.
    var systemd: Int32 { first.withLock { $0 } }

    /// Whether it was not shut down yet.
    var isUp: Bool { container.withLock { $0?.isRunning ?? false } }

    /// Stops every process of it at once, and lets them go on: a machine that is suspended.
    func freeze(_ frozen: Bool) throws { try write(frozen ? "1" : "0", to: cgroup + "/cgroup.freeze") }

    /// A property of the unit.
    func property(_ name: String) async throws -> String {
        try await enter("systemctl", "show", "--value", "-p", name, "batond").output
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func journal() async throws -> String {
        try await enter("journalctl", "-u", "batond", "--no-pager", "-o", "short-monotonic").output
    }

    fileprivate func remove() async {
        try? freeze(false)
        let pid = first.withLock { $0 }
        if pid > 0 { kill(pid, SIGKILL) }
        if let process = container.withLock({ $0 }) {
            for _ in 0..<500 where process.isRunning { try? await Task.sleep(for: .milliseconds(10)) }
            if process.isRunning { process.terminate() }
        }
        try? write("1", to: cgroup + "/cgroup.kill")
        _ = try? await run("/bin/umount", ["--lazy", root])
        _ = try? await run("/bin/umount", ["--lazy", folder])
        _ = try? FileManager.default.removeItem(atPath: folder)
        for _ in 0..<100 where FileManager.default.fileExists(atPath: cgroup) {
            _ = try? await run("/usr/bin/find", [cgroup, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"])
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The folder with `systemd/` in it.
    static let checkout = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in
        url.deletingLastPathComponent()
    }.path

    private func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        if !path.hasPrefix("/sys/") { chmod(path, 0o644) }
    }

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
    let machine = Machine(sharing: sharing)
    do {
        try await machine.boot(nodeFile: nodeFile, jobs: jobs(machine))
        try await body(machine)
    } catch {
        print((try? await machine.journal()) ?? "")
        await machine.remove()
        throw error
    }
    await machine.remove()
}
