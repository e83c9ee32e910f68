// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import CLinux
import Glibc

/// A program that is run for a moment: with an input, its output read, and gone afterwards with its whole process group.
///
/// All of it blocks, on a thread of the caller's that lives as long as the process: when the thread that started a program
/// ends, the kernel kills the program.
package struct BriefProgram {
    package enum End: Equatable, Sendable {
        /// It ended by itself.
        case ended(RunEnd.Exit)
        /// It never ran.
        case notStarted(StartStep, errno: Int32)
        /// It was killed because its time was up.
        case tookTooLong
        /// It was killed because nobody waits for it any more.
        case aborted
    }

    private let pid: pid_t
    private let process: PidFd
    /// Where a failed start is told, and what it prints comes; −1 once it has ended.
    private var errors: Int32
    private var output: Int32
    private var printed = 0
    private var failure: (step: StartStep, errno: Int32)?

    /// Runs it to its end. What it left in its process group may go on until the time is up.
    ///
    /// - Parameters:
    ///   - input: what it finds on stdin, whole.
    ///   - abort: a descriptor that is readable once the program is to be killed.
    ///   - reactor: reaps one that can't be killed at once.
    ///   - print: is given what it prints on stdout and stderr, as it comes.
    /// - Throws: when there is no room for it in the kernel.
    package static func run(
        _ spec: LaunchSpec, input: Bytes, within limit: Duration, abort: Int32, reactor: Reactor,
        print: (UnsafeRawBufferPointer) -> Void
    ) throws(SystemError) -> End {
        let deadline = BootClock.now() + limit
        var program = try BriefProgram(spec, input: input)
        defer { program.close() }
        let hasBeenTold = program.wait(until: deadline, abort: abort, print)
        let exit = program.end(reactor)
        if let failure = program.failure { return .notStarted(failure.step, errno: failure.errno) }
        if hasBeenTold { return .aborted }
        return exit.map { .ended($0) } ?? .tookTooLong
    }

    private init(_ spec: LaunchSpec, input: Bytes) throws(SystemError) {
        let stdin = try checked(clinux_memory_file("baton-notice", input, input.count), "memfd_create")
        defer { Glibc.close(stdin) }
        var pipe: [Int32] = [-1, -1]
        try checked(clinux_pipe(&pipe), "pipe")
        defer { Glibc.close(pipe[1]) }
        _ = fcntl(pipe[0], F_SETFL, O_NONBLOCK)
        var errors: Int32 = -1
        let pid = Self.start(spec, input: stdin, output: pipe[1], &errors)
        do throws(SystemError) {
            try checked(pid, "fork")
            process = try PidFd(of: pid)
        } catch {
            Glibc.close(pipe[0])
            if pid > 0 {
                Glibc.close(errors)
                kill(pid, SIGKILL)
                waitpid(pid, nil, 0)
            }
            throw error
        }
        self.pid = pid
        self.errors = errors
        output = pipe[0]
    }

    private static func start(_ spec: LaunchSpec, input: Int32, output: Int32, _ errors: inout Int32) -> pid_t {
        let arguments = CStrings(spec.arguments)
        let environment = CStrings(spec.environment)
        let candidates = CStrings(spec.candidates)
        let folder = CStrings([spec.workingDirectory])
        let groups = spec.identity?.groups ?? []
        let limits = spec.limits.map {
            clinux_limit(
                resource: Int32($0.resource), has_hard: $0.hard == nil ? 0 : 1, soft: $0.soft, hard: $0.hard ?? 0)
        }
        var never = UInt64.max
        var prepared = clinux_workload()
        prepared.arguments = UnsafePointer(arguments.pointers)
        prepared.environment = UnsafePointer(environment.pointers)
        prepared.candidates = UnsafePointer(candidates.pointers)
        prepared.working_directory = UnsafePointer(folder.pointers[0])
        prepared.stdin_fd = input
        prepared.stdout_fd = output
        prepared.stderr_fd = output
        prepared.cgroup_fd = -1
        if let identity = spec.identity {
            prepared.has_identity = 1
            prepared.uid = identity.uid
            prepared.gid = identity.gid
            prepared.group_count = groups.count
        }
        prepared.umask = spec.umask
        prepared.nice = spec.nice
        if let capabilities = spec.capabilities {
            prepared.has_capabilities = 1
            prepared.capabilities = capabilities
        }
        return withExtendedLifetime((arguments, environment, candidates, folder)) {
            groups.withUnsafeBufferPointer { groups in
                limits.withUnsafeBufferPointer { limits in
                    withUnsafePointer(to: &never) { never in
                        prepared.groups = groups.baseAddress
                        prepared.limits = limits.baseAddress
                        prepared.limit_count = limits.count
                        prepared.deadline = never
                        return clinux_start_workload(&prepared, &errors)
                    }
                }
            }
        }
    }

    /// How often it is looked whether those that the program left are gone.
    private static let pause = Duration.milliseconds(200)
    private static let much = 1 << 20

    /// Until it has ended with all that it started, or is not to go on.
    ///
    /// - Returns: whether it was told to abort.
    private mutating func wait(
        until deadline: Instant, abort: Int32, _ print: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        var hasEnded = false
        while true {
            let left = deadline - BootClock.now()
            if left <= .zero { return false }
            let patience = hasEnded ? min(left, Self.pause) : left
            // A negative descriptor is passed over.
            var ready = [abort, hasEnded ? -1 : process.descriptor, errors, output].map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            poll(&ready, nfds_t(ready.count), Int32(clamping: patience.milliseconds + 1))
            if ready[3].revents != 0 { readOutput(print) }
            if ready[2].revents != 0 { readErrors() }
            if ready[0].revents != 0 { return true }
            hasEnded = hasEnded || ready[1].revents != 0
            if hasEnded, !ProcessTree.hasMembers(group: pid) {
                readErrors()
                readOutput(print)
                return false
            }
        }
    }

    /// As much as a pipe has room for. Who writes without end is given less time than others, not all of a processor's.
    private mutating func readOutput(_ print: (UnsafeRawBufferPointer) -> Void) {
        if output < 0 { return }
        if printed > Self.much { usleep(20_000) }
        var bytes = Bytes(repeating: 0, count: 64 << 10)
        let count = read(output, &bytes, bytes.count)
        if count > 0 {
            printed += count
            bytes.withUnsafeBytes { print(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            Self.close(&output)
        }
    }

    private mutating func readErrors() {
        if errors < 0 { return }
        var told = clinux_failure()
        let count = read(errors, &told, MemoryLayout<clinux_failure>.size)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        Self.close(&errors)
        if count == MemoryLayout<clinux_failure>.size {
            failure = (StartStep(rawValue: UInt8(truncatingIfNeeded: told.step)) ?? .exec, told.error)
        }
    }

    /// Kills what is left of the group, and reaps the program.
    ///
    /// - Returns: how it had ended by itself.
    private func end(_ reactor: Reactor) -> RunEnd.Exit? {
        // The pid is nobody else's before it is reaped, and neither is the group's number.
        var main = pollfd(fd: process.descriptor, events: Int16(POLLIN), revents: 0)
        let hadEnded = poll(&main, 1, 0) > 0
        // Before its setsid the child has no group of its own yet.
        if kill(-pid, SIGKILL) != 0, !hadEnded { kill(pid, SIGKILL) }
        poll(&main, 1, 5000)
        let exit = process.reap()
        // It hangs in the kernel.
        if exit == nil { try? ChildReaper.start(pid, reactor) }
        return hadEnded ? exit : nil
    }

    private mutating func close() {
        Self.close(&errors)
        Self.close(&output)
    }

    private static func close(_ descriptor: inout Int32) {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}
