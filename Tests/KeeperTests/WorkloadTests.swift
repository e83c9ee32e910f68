// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import Testing

/// What a workload finds, and what is known of it afterwards.
@Suite(.timeLimit(.minutes(1))) struct WorkloadTests {
    @Test func missingProgramIsAStartThatFailed() async throws {
        try await withRun("", configure: { $0.arguments = ["/nonexistent/program"] }) { run in
            _ = run.go(for: .seconds(5))
            let failed = try await run.report {
                if case .startFailed(let step, let errno) = $0 { [Int32(step.rawValue), errno] } else { nil }
            }
            #expect(failed == [Int32(StartStep.exec.rawValue), ENOENT])
            let end = try await run.end()
            #expect(end.reason == .startFailed(step: .exec, errno: ENOENT))
            #expect(end.exit == nil)
        }
    }

    @Test func programIsLookedUpInTheWorkloadsOwnPath() async throws {
        try await withRun("", configure: { $0.arguments = ["env"] }) { run in
            _ = run.go(for: .seconds(5))
            let end = try await run.end()
            #expect(end.exit == .code(0))
        }
        try await withRun(
            "",
            configure: {
                $0.arguments = ["passwd"]
                $0.environment = ["PATH=/nonexistent:/etc:/usr/share"]
            }
        ) { run in
            _ = run.go(for: .seconds(5))
            // There is one, in /etc, and it can't be executed: that says more than "not found".
            let end = try await run.end()
            #expect(end.reason == .startFailed(step: .exec, errno: EACCES))
        }
    }

    @Test func everyStepOfAStartNamesItself() async throws {
        try await withRun("", configure: { $0.workingDirectory = "/nonexistent" }) { run in
            _ = run.go(for: .seconds(5))
            let end = try await run.end()
            #expect(end.reason == .startFailed(step: .workingDirectory, errno: ENOENT))
        }
        try await withRun("", configure: { $0.output = .file("/nonexistent/log") }) { run in
            _ = run.go(for: .seconds(5))
            let end = try await run.end()
            #expect(end.reason == .startFailed(step: .output, errno: ENOENT))
        }
        try await withRun("", configure: { $0.cgroup = "/nonexistent" }) { run in
            _ = run.go(for: .seconds(5))
            let end = try await run.end()
            #expect(end.reason == .startFailed(step: .cgroup, errno: ENOENT))
        }
    }

    @Test(arguments: [("exit 42", RunEnd.Exit.code(42)), ("kill -SEGV $$", .signal(SIGSEGV))])
    func exitIsKnown(script: String, exit: RunEnd.Exit) async throws {
        try await withRun(script) { run in
            _ = run.go(for: .seconds(5))
            let end = try await run.end()
            #expect(end.exit == exit)
            #expect(end.reason == .exited)
            #expect(!end.termSent)
            #expect(try run.directory.status() == end)
        }
    }

    @Test func environmentIsAsGivenAndNothingElse() async throws {
        try await withRun(
            "",
            configure: {
                $0.arguments = ["/usr/bin/env"]
                $0.environment = ["B=2 with spaces", "A=1", "EMPTY="]
            }
        ) { run in
            _ = run.go(for: .seconds(5))
            _ = try await run.end()
            #expect(try run.directory.tail() == Bytes("B=2 with spaces\nA=1\nEMPTY=\n".utf8))
        }
    }

    @Test func processIsCleanAndWhereItShouldBe() async throws {
        let script = """
            ls -l /proc/self/fd > descriptors.new; mv descriptors.new descriptors
            cat /proc/self/status > status.new; mv status.new status
            cat /proc/self/oom_score_adj > oom; umask > umask; pwd > pwd; nice > nice; ulimit -n > nofile; ulimit -Hc > core
            cat /proc/self/stat > stat.new; mv stat.new stat
            chrt -p $$ > sched
            cat /proc/self/cgroup > cgroup.new; mv cgroup.new cgroup
            echo done > done
            """
        try await withRun(
            script,
            configure: {
                $0.umask = 0o027
                $0.nice = 5
                $0.limits = [LaunchSpec.Limit(.nofile, soft: 333), LaunchSpec.Limit(.core, soft: 0, hard: 0)]
            }
        ) { run in
            _ = run.go(for: .seconds(10))
            let pid = try await run.started()
            _ = try await run.wrote("done")
            // ls itself opens one more, for the folder.
            let lines = text("\(run.scratch)/descriptors").split(separator: "\n").dropFirst()
            #expect(lines.count == 4, "\(lines)")
            #expect(lines.filter { $0.contains("/dev/null") }.count == 1)
            let status = text("\(run.scratch)/status")
            #expect(status.contains("SigBlk:\t0000000000000000"))
            #expect(status.contains("SigIgn:\t0000000000000000"))
            #expect(text("\(run.scratch)/oom") == text("/proc/self/oom_score_adj"))
            #expect(text("\(run.scratch)/umask") == "0027\n")
            #expect(text("\(run.scratch)/pwd") == run.scratch + "\n")
            #expect(text("\(run.scratch)/nice") == "5\n")
            #expect(text("\(run.scratch)/nofile") == "333\n")
            #expect(text("\(run.scratch)/core") == "0\n")
            #expect(text("\(run.scratch)/sched").contains("SCHED_OTHER"))
            // Process group and session are the main process's own.
            let fields = text("\(run.scratch)/stat").split(separator: " ")
            #expect(fields[4] == "\(pid)" && fields[5] == "\(pid)")
            if run.spec.cgroup != nil { #expect(text("\(run.scratch)/cgroup").contains("0::/baton-job-")) }
        }
    }

    @Test(.enabled(if: runsAsRoot, "needs root")) func workloadRunsAsItsUser() async throws {
        try await withRun(
            "id -u > id; id -g >> id; id -G >> id; echo x > f; exec sleep $M",
            configure: {
                $0.identity = LaunchSpec.Identity(uid: 65534, gid: 65534, groups: [65534, 100])
            }
        ) { run in
            _ = run.go(for: .seconds(10))
            _ = try await run.started()
            _ = try await run.wrote("f")
            #expect(text("\(run.scratch)/id") == "65534\n65534\n65534 100\n")
            var info = stat()
            stat(run.directory.heldSocket, &info)
            #expect(info.st_uid == 65534)
        }
    }

    @Test(.enabled(if: runsAsRoot, "needs root")) func outputFileIsOpenedAsTheUser() async throws {
        try await withRun(
            "echo hello; echo oops >&2",
            configure: {
                $0.identity = LaunchSpec.Identity(uid: 65534, gid: 65534, groups: [])
                $0.output = .file($0.workingDirectory + "/log")
            }
        ) { run in
            _ = run.go(for: .seconds(10))
            let end = try await run.end()
            #expect(end.exit == .code(0))
            #expect(text("\(run.scratch)/log") == "hello\noops\n")
            var info = stat()
            stat("\(run.scratch)/log", &info)
            #expect(info.st_uid == 65534 && info.st_mode & 0o777 == 0o640)
        }
        try await withRun(
            "echo hello",
            configure: {
                $0.identity = LaunchSpec.Identity(uid: 65534, gid: 65534, groups: [])
                $0.output = .file("/root/not-allowed")
            }
        ) { run in
            _ = run.go(for: .seconds(10))
            let end = try await run.end()
            #expect(end.reason == .startFailed(step: .output, errno: EACCES))
        }
    }

    @Test func outputFileIsNeverALink() async throws {
        try await withRun(
            "echo hello",
            configure: {
                let link = $0.workingDirectory + "/log"
                symlink("/tmp/elsewhere", link)
                $0.output = .file(link)
            }
        ) { run in
            _ = run.go(for: .seconds(10))
            let end = try await run.end()
            #expect(end.reason == .startFailed(step: .output, errno: ELOOP))
        }
    }

    @Test func workloadStaysOutOfTheKeepersDescriptors() async throws {
        try await withRun("exec sleep $M") { run in
            let hello = try await run.hello()
            _ = run.go(for: .seconds(10))
            _ = try await run.started()
            for pid in [hello.keeper, hello.guardian] {
                let names = try descriptors(of: pid)
                // Whatever the daemon had open, sockets and files of its own, is not there.
                #expect(names.count <= 16, "\(names)")
                #expect(names.filter { $0.hasPrefix("/") }.allSatisfy { $0 == "/dev/null" || $0.hasSuffix("/lock") })
            }
            let guardSockets = try descriptors(of: hello.guardian).filter { $0.hasPrefix("socket:") }
            #expect(guardSockets.isEmpty, "the guard holds the daemon's connection open")
        }
    }

    private func descriptors(of pid: Int32) throws -> [String] {
        let folder = try #require(opendir("/proc/\(pid)/fd"))
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            var buffer = [CChar](repeating: 0, count: 4096)
            let count = readlink("/proc/\(pid)/fd/\(name)", &buffer, buffer.count - 1)
            names.append(String(decoding: buffer[..<max(count, 0)].map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        return names
    }
}
