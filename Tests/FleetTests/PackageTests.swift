// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// The Debian package, on machines that have nothing of Baton before.
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(5))) struct PackageTests {
    private static let (first, second) = (DebianPackage.versions[0], DebianPackage.versions[1])

    @Test func aPackageIsInstalledUpgradedRemovedAndPurged() async throws {
        try #require(geteuid() == 0, "only root can boot a machine")
        let package = try await DebianPackage.make()
        try await expectContents(package)
        let equipment = Machine.Equipment(hasBaton: false, folders: [DebianPackage.folderInside: package.folder])
        try await withMachines([equipment]) { machines in
            let machine = machines[0]
            try await machine.install(Self.first)
            try await expectInstalled(machine)

            // Its owner's files.
            let own = "[store]\nmax_lock_timeout = \"8s\"\n[defaults.lock]\ntimeout = \"8s\"\n"
            try machine.write(own, to: "/etc/baton/batond.toml")
            try machine.write(
                "command = [\"/usr/bin/test-workload\", \"\(machine.historyInside)\", \"--daemonise\"]\n",
                to: "/etc/baton/jobs.d/job.toml")
            #expect(try await machine.enter("systemctl", "restart", "batond").code == 0)
            let run = try await waitForRun(machine)
            // Its timeout is too short for the unit's WatchdogSec, and batond says so.
            #expect(try await machine.journal().contains("a hung daemon costs this job its run"))

            // What an upgrade leaves alone, whatever becomes of the daemon.
            let daemon = try await machine.instance()
            try machine.write("#!/bin/sh\nexit 101\n", to: "/usr/sbin/policy-rc.d")
            #expect(try await machine.enter("chmod", "755", "/usr/sbin/policy-rc.d").code == 0)
            #expect(try await machine.install(Self.second).contains("the old batond goes on"))
            #expect(try await machine.enter("rm", "/usr/sbin/policy-rc.d").code == 0)
            #expect(try await machine.instance() == daemon)
            try machine.write(own + "\n[log]\nlevle = 1\n", to: "/etc/baton/batond.toml")
            let refused = try await machine.install(Self.first)
            #expect(refused.contains("did you mean 'level'") && refused.contains("the old one goes on"), "\(refused)")
            #expect(try await machine.instance() == daemon)
            try machine.write(own, to: "/etc/baton/batond.toml")
            // An invalid job is one for reexec, and none for an upgrade.
            try machine.write("comand = 1\n", to: "/etc/baton/jobs.d/bad.toml")
            #expect(try await machine.install(Self.second).contains("starting batond anew: "))
            #expect(try await machine.instance() != daemon)
            #expect(try await machine.property("ActiveState") == "active")
            #expect(try machine.read("/etc/baton/batond.toml") == own)
            try await expectGoesOn(machine, run)

            // A daemon that its owner stopped stays so.
            #expect(try await machine.enter("systemctl", "stop", "batond").code == 0)
            #expect(Processes.mentioning(machine.historyInside).isEmpty)
            try await machine.install(Self.first)
            #expect(try await machine.property("ActiveState") == "inactive")
            #expect(try await machine.enter("systemctl", "start", "batond").code == 0)
            let next = try await waitForRun(machine, after: run.last)

            // Gone, with what it ran; then its owner's files as well.
            let process = try await machine.property("MainPID")
            #expect(try await machine.dpkg("--remove", "baton").code == 0)
            #expect(try machine.evidence().lines.contains { $0.run == next.id && $0.event == "term" })
            #expect(Processes.mentioning(machine.historyInside).isEmpty)
            #expect(try await machine.enter("test", "-e", "/proc/\(process)").code != 0)
            #expect(try machine.read("/etc/baton/batond.toml") == own)
            try await machine.install(Self.first)
            #expect(try await machine.property("ActiveState") == "active", "an installation after a removal starts it")
            #expect(try await machine.dpkg("--purge", "baton").code == 0)
            for path in ["/etc/baton", "/var/lib/baton", "/run/baton", "/usr/bin/batond", "/usr/libexec/baton"] {
                #expect(try await machine.enter("test", "-e", path).code != 0, "\(path)")
            }
            #expect(try await machine.enter("systemctl", "cat", "batond").code != 0)
            #expect(try machine.evidence().violations().isEmpty)
        }
    }

    private func expectContents(_ package: DebianPackage) async throws {
        let path = try package.path(Self.first)
        let contents = try await run("/usr/bin/dpkg-deb", ["--contents", path]).output
        for file in [
            "bin/batond", "bin/batonctl", "libexec/baton/baton-keeper", "lib/systemd/system/batond.service",
            "lib/sysusers.d/baton.conf", "lib/baton/jobs.d/", "share/man/man8/batond.8.gz",
            "share/man/man1/batonctl.1.gz", "share/man/man5/batond.toml.5.gz", "share/man/man5/baton.job.5.gz",
            "share/bash-completion/completions/batonctl", "share/zsh/vendor-completions/_batonctl",
            "share/fish/vendor_completions.d/batonctl.fish", "share/doc/baton/copyright",
            "share/doc/baton/examples/jobs.d/heartbeat.toml", "share/doc/baton/examples/prometheus/baton.rules.yml",
        ] { #expect(contents.contains(" ./usr/\(file)\n"), "\(file) is not in the package") }
        let changelog = try String(contentsOfFile: Checkout.path + "/debian/changelog", encoding: .utf8)
        #expect(changelog.hasPrefix("baton (\(BatonVersion.current)) "))
        let foreign = contents.split(separator: "\n").filter { !$0.contains(" root/root ") }
        #expect(foreign.isEmpty)
        #expect(try await run("/usr/bin/dpkg-deb", ["-I", path, "conffiles"]).output == "/etc/baton/batond.toml\n")
        let needed = try await run("/usr/bin/dpkg-deb", ["-f", path, "Depends"]).output
        for library in ["libc6", "libhiredis", "libsqlite3-0", "libsystemd0"] { #expect(needed.contains(library)) }
    }

    /// As Debian has it: enabled and started, with a group for those who may look.
    private func expectInstalled(_ machine: Machine) async throws {
        #expect(try await machine.property("ActiveState") == "active")
        #expect(try await machine.property("UnitFileState") == "enabled")
        let status = try await machine.enter("batonctl", "status")
        #expect(status.code == 0 && status.output.contains("no jobs"), "\(status)")
        let socket = try await machine.enter("stat", "-c", "%U:%G %a", "/run/baton/control.sock")
        #expect(socket.output == "root:baton 660\n")
        let check = try await machine.enter("batonctl", "check")
        #expect(check.code == 0 && check.errors.isEmpty, "\(check)")
        let unit = try await machine.enter("systemd-analyze", "verify", "--man=no", "batond.service")
        #expect(unit.code == 0 && (unit.output + unit.errors).isEmpty, "\(unit)")
        #expect(try await machine.property("FragmentPath").hasSuffix("/lib/systemd/system/batond.service"))
        let shell = "source /usr/share/bash-completion/completions/batonctl && complete -p batonctl"
        #expect(try await machine.enter("bash", "-c", shell).code == 0)
    }

    private func waitForRun(_ machine: Machine, after: Instant = Instant(nanoseconds: 0)) async throws -> History.Run {
        var found: History.Run?
        try await eventually(within: .seconds(40), "a run") {
            found = try machine.evidence().runs().last { $0.first > after && $0.pids.count == 2 }
            return found != nil
        }
        return try #require(found)
    }

    private func expectGoesOn(_ machine: Machine, _ run: History.Run) async throws {
        try await eventually("the run is known again") {
            let (code, output, _) = try await machine.enter("batonctl", "status", "--json")
            guard code == 0 else { return false }
            let report = try JSONDecoder().decode(StatusReport.self, from: Data(output.utf8))
            let job = report.jobs.first { $0.name == "job" }
            return job?.run?.runID == run.id && job?.holder?.fence == run.fence
        }
        let now = try #require(try machine.evidence().runs().last)
        #expect(now.id == run.id && now.pids == run.pids && now.fence == run.fence)
        #expect(try machine.evidence().longestGap(in: now) < .seconds(1))
    }
}
