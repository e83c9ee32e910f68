// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import BatonUsers
import Glibc
import Synchronization
import Testing

/// The Linux layer under daemon and keeper.
@Suite(.timeLimit(.minutes(1))) struct SystemTests {
    @Test func instanceLockIsHeldByOne() throws {
        let path = "/tmp/baton-lock-\(UInt32.random(in: 0 ... .max))"
        defer { unlink(path) }
        var first: InstanceLock? = try InstanceLock(path: path)
        #expect(throws: InstanceLock.Refusal.held(by: "\(getpid())")) { try InstanceLock(path: path) }
        #expect(first != nil)
        first = nil
        _ = try InstanceLock(path: path)
        #expect(throws: InstanceLock.Refusal.self) { try InstanceLock(path: "/nonexistent/lock") }
    }

    @Test func fileIsReplacedWhole() throws {
        let path = "/tmp/baton-file-\(UInt32.random(in: 0 ... .max))"
        defer { unlink(path) }
        #expect(try Files.read(path, limit: 10) == nil)
        try Files.write(path, [1, 2, 3], mode: 0o640)
        #expect(try Files.read(path, limit: 3) == [1, 2, 3])
        try Files.write(path, [4], durable: true)
        #expect(try Files.read(path, limit: 10) == [4])
        var info = stat()
        stat(path, &info)
        #expect(info.st_mode & 0o777 == 0o600)
        try Files.write(path, [1, 2, 3, 4])
        #expect(throws: SystemError(errno: EFBIG, operation: "read \(path)")) { try Files.read(path, limit: 3) }
        #expect(throws: SystemError.self) { try Files.write("/nonexistent/file", []) }
    }

    @Test func runDirectoriesAreFound() throws {
        let runtime = "/tmp/baton-runtime-\(UInt32.random(in: 0 ... .max))"
        mkdir(runtime, 0o755)
        defer { removeFolder(runtime) }
        #expect(RunDirectory.list(runtime: runtime).isEmpty)
        let run = RunDirectory(runtime: runtime, job: "a", runID: "1")
        try run.create()
        #expect(throws: SystemError.self) { try run.create() }
        try RunDirectory(runtime: runtime, job: "a", runID: "2").create()
        try RunDirectory(runtime: runtime, job: "b", runID: "3").create()
        #expect(RunDirectory.list(runtime: runtime).map { "\($0.job)/\($0.runID)" } == ["a/1", "a/2", "b/3"])
        let spec = LaunchSpec(job: "a", runID: "1", arguments: ["x"])
        #expect(try run.spec() == nil)
        try run.write(spec)
        #expect(try run.spec() == spec)
        try Files.write(run.path + "/spec", [9, 9])
        #expect(try run.spec() == nil, "half of something is nothing")
        run.remove()
        run.remove()
        #expect(RunDirectory.list(runtime: runtime).map(\.runID) == ["2", "3"])
    }

    @Test func reactorCallsBackUntilForgotten() async throws {
        let reactor = try Reactor()
        defer { reactor.stop() }
        var pair: [Int32] = [-1, -1]
        #expect(pipe(&pair) == 0)
        let (reading, writing) = (pair[0], pair[1])
        let calls = Mutex(0)
        let watch = try reactor.watch(reading) { _ in
            var byte: UInt8 = 0
            read(reading, &byte, 1)
            calls.withLock { $0 += 1 }
        }
        write(writing, "a", 1)
        try await until { calls.withLock { $0 } == 1 ? () : nil }
        let closed = Mutex(false)
        reactor.forget(watch) {
            close(reading)
            closed.withLock { $0 = true }
        }
        try await until { closed.withLock { $0 } ? () : nil }
        #expect(calls.withLock { $0 } == 1)
        close(writing)
        #expect(throws: SystemError.self) { try reactor.watch(-1) { _ in } }
    }

    @Test func usersAreLookedUpByNameAndNumber() throws {
        let root = try UserDatabase.user("root")
        #expect(root.uid == 0 && root.home == "/root")
        #expect(try UserDatabase.user("0") == root)
        #expect(throws: UserLookupError.unknown("no-such-user")) { try UserDatabase.user("no-such-user") }
        #expect(try UserDatabase.group("root") == 0)
        #expect(try UserDatabase.group("4711") == 4711)
        #expect(throws: UserLookupError.unknown("no-such-group")) { try UserDatabase.group("no-such-group") }
        #expect(UserDatabase.groups(of: "root", primary: 0).contains(0))
    }

    @Test func longPathsAreNoObstacle() async throws {
        let home = "/tmp/baton-" + String(repeating: "long", count: 40) + "\(UInt32.random(in: 0 ... .max))"
        mkdir(home, 0o755)
        defer { removeFolder(home) }
        try await withRun("exec sleep $M", runtime: home) { run in
            _ = run.go(for: .seconds(20))
            let pid = try await run.started()
            run.link.close()
            try await withAdoption(of: run) { next in
                let hello = try await next.hello()
                #expect(hello.workload == pid)
            }
        }
    }

    @Test func runsLeaveNoDescriptorsBehind() async throws {
        func count() -> Int { (0..<4096).count { fcntl($0, F_GETFD) >= 0 } }
        let before = count()
        for _ in 0..<40 {
            try await withRun("exit 0") { run in
                _ = run.go(for: .seconds(20))
                _ = try await run.end()
                run.link.send(.ack)
                _ = try await run.log.wait(within: .seconds(10)) { $0 == .keeperDied ? true : nil }
            }
        }
        // Other tests run at the same time, so: far fewer than one for each run.
        #expect(count() - before < 30)
    }

    @Test func keeperSaysWhatItIs() throws {
        #expect(try output(of: "--version") == "baton-keeper \(BatonVersion.current)\n")
        #expect(try output(of: "--probe").hasPrefix("realtime "))
    }

    @Test func specThatIsNoneIsAStatus() async throws {
        let runtime = "/tmp/baton-runtime-\(UInt32.random(in: 0 ... .max))"
        mkdir(runtime, 0o755)
        defer { removeFolder(runtime) }
        let run = RunDirectory(runtime: runtime, job: "a", runID: "1")
        try run.create()
        try run.write("spec", [1, 2, 3])
        let reactor = try Reactor()
        defer { reactor.stop() }
        let link = try KeeperLink.launch(in: run, keeper: keeperPath, reactor: reactor)
        var events: [KeeperLink.Event] = []
        for await event in link.events { events.append(event) }
        #expect(events == [.disconnected])
        let end = try await until { try run.status() }
        #expect(end.reason == .startFailed(step: .spec, errno: EINVAL))
        #expect(throws: SystemError.self) {
            try KeeperLink.launch(in: run, keeper: "/nonexistent/keeper", reactor: reactor)
        }
    }

    private func output(of argument: String) throws -> String {
        let pipe = try #require(popen("\(keeperPath) \(argument)", "r"))
        defer { pclose(pipe) }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = fread(&buffer, 1, buffer.count, pipe)
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}
