// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import Glibc
import Testing

@Suite struct JobFolderTests {
    @Test func theLaterFolderWinsAndALinkToNullMasks() throws {
        let bench = try ConfigBench()
        let low = bench.folder + "/low"
        try bench.makeFolder(low)
        bench.write("low/a.toml", "shell='low a'")
        bench.write("low/b.toml", "shell='low b'")
        bench.write("low/c.toml", "shell='low c'")
        bench.write("jobs.d/b.toml", "shell='high b'")
        symlink("/dev/null", bench.jobs + "/c.toml")
        let loaded = bench.loadJobs(directories: [low, bench.jobs, bench.folder + "/none"])
        #expect(
            loaded.jobs == [
                .valid(JobDefinition(name: "a", command: .shell("low a"))),
                .valid(JobDefinition(name: "b", command: .shell("high b"))),
            ])
        #expect(
            loaded.ignored.map { "\(bench.short($0.path)): \(bench.short($0.reason))" } == [
                "low/b.toml: hidden by jobs.d/b.toml", "low/c.toml: hidden by jobs.d/c.toml",
                "jobs.d/c.toml: a link to /dev/null: masks c",
            ])
        #expect(loaded.paths == ["a": low + "/a.toml", "b": bench.jobs + "/b.toml"])
    }

    @Test func defaultsMergeTablesAndReplaceTheRest() throws {
        let bench = try ConfigBench()
        let defaults = """
            [defaults]
            command = ["/bin/default", "x"]
            nice = 5
            environment = { A = "default", B = "default" }
            [defaults.lock]
            timeout = "20s"
            lost_grace = "1s"
            [defaults.restart]
            policy = "never"
            """
        let job = try bench.job("command=['/bin/true']\nenvironment={B='own'}\nlock.timeout='10s'", defaults: defaults)
        #expect(job.command == .program(["/bin/true"]))
        #expect(job.nice == 5)
        #expect(job.environment == ["A": "default", "B": "own"])
        #expect(job.lock == .init(timeout: .seconds(10), lostGrace: .seconds(1)))
        #expect(job.restart.policy == .never)
        #expect(try bench.job("shell='own'", defaults: defaults).command == .shell("own"))
        #expect(try bench.job("", defaults: defaults).command == .program(["/bin/default", "x"]))
        // Each problem is of the file where the value stands.
        let problems = bench.problems(
            ofJob: "lock.timeout='1s'",
            defaults: "\n[defaults]\nshell='x'\n[defaults.lock]\nlost_grace='900ms'\ntimeout='20s'")
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix(":1: lock.timeout: lost_grace = 900ms is too long") == true)
    }

    @Test func whatIsNotAJobFileIsListed() throws {
        let bench = try ConfigBench()
        bench.write("jobs.d/.hidden.toml", "x")
        bench.write("jobs.d/report.toml~", "x")
        bench.write("jobs.d/README", "x")
        let loaded = bench.loadJobs()
        #expect(loaded.jobs == [])
        #expect(
            loaded.ignored.map { "\(bench.short($0.path)): \($0.reason)" } == [
                "jobs.d/.hidden.toml: its name begins with a dot", "jobs.d/README: its name does not end in .toml",
                "jobs.d/report.toml~: its name does not end in .toml",
            ])
    }

    @Test func filesThatCannotBeJobsAreInvalidOnes() throws {
        let bench = try ConfigBench()
        let low = bench.folder + "/low"
        try bench.makeFolder(low)
        bench.write("low/link.toml", "shell='must not run instead'")
        let target = bench.write("target", "shell='x'")
        symlink(target, bench.jobs + "/link.toml")
        mkfifo(bench.jobs + "/fifo.toml", 0o600)
        try bench.makeFolder(bench.jobs + "/folder.toml")
        bench.write("jobs.d/huge.toml", [UInt8](repeating: UInt8(ascii: "#"), count: 10_000_000))
        bench.write("jobs.d/binary.toml", [0x7F, 0x45, 0x4C, 0x46, 0x0A, 0xFF, 0xFE])
        bench.write("jobs.d/Upper.toml", "shell='x'")
        bench.write("jobs.d/.toml", "shell='x'")
        bench.write("jobs.d/good.toml", "shell='x'")
        let loaded = bench.loadJobs(directories: [low, bench.jobs])
        #expect(
            loaded.errors.map { bench.short($0.description) } == [
                "jobs.d/Upper.toml: 'Upper' cannot be a job's name; wanted 1 to 63 of a-z 0-9 . _ - with a letter or digit first",
                "jobs.d/binary.toml:2: this is no text: it is not valid UTF-8",
                "jobs.d/fifo.toml: is a FIFO; wanted a regular file",
                "jobs.d/folder.toml: is a folder; wanted a regular file",
                "jobs.d/huge.toml: is too large: 10000000 bytes, at most 1048576 are read",
                "jobs.d/link.toml: is a symbolic link; wanted a regular file",
            ])
        #expect(loaded.jobs.map(\.name) == ["Upper", "binary", "fifo", "folder", "good", "huge", "link"])
    }

    @Test func filesAndFoldersThatOthersCanWriteAreRefused() throws {
        let bench = try ConfigBench()
        let path = bench.write("jobs.d/report.toml", "shell='x'", mode: 0o666)
        func problems() -> [String] { bench.loadJobs().errors.map { bench.short($0.description) } }
        #expect(
            problems() == [
                "jobs.d/report.toml: can be written by others than root and the daemon's user (mode 0666, owner 0)"
            ])
        chmod(path, 0o644)
        #expect(problems() == [])
        chmod(bench.jobs, 0o777)
        #expect(
            problems() == ["jobs.d: can be written by others than root and the daemon's user (mode 0777, owner 0)"])
        chmod(bench.jobs, 0o1777)
        #expect(problems() == [])
        chown(path, 4242, 0)
        #expect(
            problems() == [
                "jobs.d/report.toml: belongs to user 4242, not to root or the daemon's user (mode 0644, owner 4242)"
            ])
        #expect(bench.loadJobs(user: 4242).errors == [])
        chown(path, 0, 4242)
        chmod(path, 0o664)
        #expect(problems().count == 1)
        chown(path, 0, 0)
        chmod(bench.jobs, 0o755)
        #expect(problems() == [])
        // A folder higher up, on the way of a link.
        let open = bench.folder + "/open"
        try bench.makeFolder(open)
        try bench.makeFolder(open + "/jobs.d")
        bench.write("open/jobs.d/other.toml", "shell='x'")
        symlink(open + "/jobs.d", bench.folder + "/linked")
        chmod(open, 0o777)
        let loaded = bench.loadJobs(directories: [bench.folder + "/linked"])
        #expect(
            loaded.errors.map { bench.short($0.description) } == [
                "open: can be written by others than root and the daemon's user (mode 0777, owner 0)"
            ])
        chmod(open, 0o755)
        #expect(bench.loadJobs(directories: [bench.folder + "/linked"]).errors == [])
    }

    @Test func theNodesFileIsCheckedLikewise() throws {
        let bench = try ConfigBench()
        #expect(
            bench.problems(ofNode: "", mode: 0o666) == [
                "batond.toml: can be written by others than root and the daemon's user (mode 0666, owner 0)"
            ])
        let target = bench.write("elsewhere.toml", "node.name='linked'")
        unlink(bench.node)
        symlink(target, bench.node)
        let loaded = ConfigLoader().loadNode(path: bench.node)
        #expect(loaded.errors == [])
        #expect(loaded.settings.name == "linked")
    }
}
