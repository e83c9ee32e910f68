// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// The main process of a run: between its fork and its reaping.
struct Workload {
    /// Its pid, until it is reaped; so it can't be another's.
    private(set) var pid: pid_t?
    /// Where a failed start is told; −1: it was read to its end.
    private(set) var errorPipe: Int32 = -1

    /// Starts the program. What it could not do after the fork comes over the error pipe.
    ///
    /// `pipes`: where stdout and stderr go, −1 each for a file or nothing.
    mutating func start(
        _ context: RunContext, pipes: (out: Int32, err: Int32)
    ) throws(StartFailure) {
        let spec = context.spec
        var folder: Int32 = -1
        if let cgroup = context.cgroup {
            folder = open(cgroup.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            if folder < 0 { throw StartFailure(step: .cgroup, errno: errno) }
        }
        defer { if folder >= 0 { close(folder) } }

        let arguments = CStrings(spec.arguments)
        let environment = CStrings(spec.environment)
        let candidates = CStrings(spec.candidates)
        let paths = CStrings([spec.workingDirectory, Self.outputPath(spec)])
        let groups = spec.identity?.groups ?? []
        let limits = spec.limits.map {
            clinux_limit(
                resource: Int32($0.resource), has_hard: $0.hard == nil ? 0 : 1, soft: $0.soft, hard: $0.hard ?? 0)
        }

        var prepared = clinux_workload()
        prepared.arguments = UnsafePointer(arguments.pointers)
        prepared.environment = UnsafePointer(environment.pointers)
        prepared.candidates = UnsafePointer(candidates.pointers)
        prepared.working_directory = UnsafePointer(paths.pointers[0])
        if case .file = spec.output { prepared.output_path = UnsafePointer(paths.pointers[1]) }
        prepared.stdout_fd = pipes.out
        prepared.stderr_fd = pipes.err
        prepared.cgroup_fd = folder
        if let identity = spec.identity {
            prepared.has_identity = 1
            prepared.uid = identity.uid
            prepared.gid = identity.gid
            prepared.group_count = groups.count
        }
        prepared.deadline = UnsafePointer(context.board.deadlineWord)
        prepared.umask = spec.umask
        prepared.nice = spec.nice
        if let capabilities = spec.capabilities {
            prepared.has_capabilities = 1
            prepared.capabilities = capabilities
        }
        if case .changed(let before) = context.oom {
            prepared.restore_oom = 1
            prepared.oom_score_adj = before
        }
        let child = withExtendedLifetime((arguments, environment, candidates, paths)) {
            groups.withUnsafeBufferPointer { groups in
                limits.withUnsafeBufferPointer { limits in
                    prepared.groups = groups.baseAddress
                    prepared.limits = limits.baseAddress
                    prepared.limit_count = limits.count
                    return clinux_start_workload(&prepared, &errorPipe)
                }
            }
        }
        if child < 0 { throw StartFailure(step: .resources, errno: -child) }
        pid = child
    }

    /// What the error pipe says now: nil, nothing yet; otherwise the start succeeded or failed, and it is closed.
    mutating func startOutcome() -> Result<pid_t, StartFailure>? {
        if errorPipe < 0 { return nil }
        var failure = clinux_failure()
        let count = read(errorPipe, &failure, MemoryLayout<clinux_failure>.size)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return nil }
        close(errorPipe)
        errorPipe = -1
        if count == MemoryLayout<clinux_failure>.size {
            let step = StartStep(rawValue: UInt8(truncatingIfNeeded: failure.step)) ?? .exec
            return .failure(StartFailure(step: step, errno: failure.error))
        }
        return pid.map { .success($0) }
    }

    /// To the whole process group, so that `sh -c "a | b"` and its children hear of it together. A stopped one is woken.
    func signal(_ number: Int32) {
        guard let pid else { return }
        // Before its setsid the child has no group of its own yet.
        if kill(-pid, number) != 0 { kill(pid, number) }
        if number != SIGKILL, kill(-pid, SIGCONT) != 0 { kill(pid, SIGCONT) }
    }

    /// The main process was waited for: its pid may be another's from now on.
    mutating func reaped() { pid = nil }

    private static func outputPath(_ spec: LaunchSpec) -> String {
        if case .file(let path) = spec.output { return path }
        return ""
    }
}
