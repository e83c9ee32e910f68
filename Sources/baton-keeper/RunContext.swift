// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// What the start of a run failed at, before there was a keeper to report it.
struct StartFailure: Error {
    var step: StartStep
    var errno: Int32
}

/// What guard and keeper have in common, made before the fork. The working directory is the run's.
struct RunContext {
    let spec: LaunchSpec
    let cgroup: Cgroup?
    let board: SharedBoard
    /// Tells of children that ended.
    let signals: Int32
    /// The guard's process.
    let guardian: pid_t
    /// The job's flock, shared by both processes; or why it could not be had.
    let lock: JobLock
    let oom: OOMScore

    init() throws(StartFailure) {
        setsid()
        umask(0o077)
        _ = clinux_close_from(4)
        Self.closeStandardDescriptors()
        let signals = clinux_quiet_signals()
        if signals < 0 { throw StartFailure(step: .resources, errno: -signals) }
        guard let board = SharedBoard() else { throw StartFailure(step: .resources, errno: ENOMEM) }
        spec = try Self.readSpec()
        cgroup = try Self.cgroup(of: spec)
        self.signals = signals
        self.board = board
        guardian = getpid()
        lock = JobLock.take()
        oom = OOMScore.protect()
        _ = clinux_become_subreaper()
    }

    private static func readSpec() throws(StartFailure) -> LaunchSpec {
        do {
            guard let bytes = try Files.read(RunFile.spec, limit: LaunchSpec.maximumSize) else {
                throw StartFailure(step: .spec, errno: ENOENT)
            }
            return try LaunchSpec(decoding: bytes)
        } catch let error as SystemError {
            throw StartFailure(step: .spec, errno: error.errno)
        } catch let error as StartFailure {
            throw error
        } catch {
            throw StartFailure(step: .spec, errno: EINVAL)
        }
    }

    /// In a unit, the workload gets a cgroup below the unit's: but not below another's, should that be where we are.
    private static func cgroup(of spec: LaunchSpec) throws(StartFailure) -> Cgroup? {
        guard let cgroup = spec.cgroup.map(Cgroup.init(path:)) else { return nil }
        if spec.unit == nil { return cgroup }
        if Cgroup.own() != cgroup.parent { throw StartFailure(step: .cgroup, errno: EXDEV) }
        if mkdir(cgroup.path, 0o755) != 0 { throw StartFailure(step: .cgroup, errno: errno) }
        return cgroup
    }

    private static func closeStandardDescriptors() {
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        if null < 0 { return }
        for descriptor in Int32(0)...2 { dup2(null, descriptor) }
        if null > 2 { close(null) }
    }

    /// Makes this process one that can always run, as far as the machine allows. Not inherited by children.
    ///
    /// - Returns: whether it has real-time priority.
    func becomeUnstoppable() -> Bool {
        let realtime = clinux_become_realtime() == 0
        _ = clinux_lock_memory()
        return realtime
    }
}

/// The flock of the one run of a job that is not over. Guard and keeper hold it together, through one open file.
enum JobLock {
    case held(descriptor: Int32)
    case refused(errno: Int32)

    /// Without waiting.
    static func take() -> JobLock {
        let descriptor = open("../" + RunFile.lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if descriptor < 0 { return .refused(errno: errno) }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return .held(descriptor: descriptor) }
        let reason = errno
        close(descriptor)
        return .refused(errno: reason)
    }

    /// For both processes at once: nothing of the run is left.
    func release() {
        if case .held(let descriptor) = self { flock(descriptor, LOCK_UN) }
    }
}

/// The score by which the kernel chooses whom to kill when memory is short.
enum OOMScore {
    /// As it was, and to be restored in the workload.
    case changed(before: Int32)
    case unchanged

    private static let path = "/proc/self/oom_score_adj"

    /// Takes this process out of the kernel's choice, if it may.
    static func protect() -> OOMScore {
        // Not being allowed to is usual, and no reason not to run.
        guard let bytes = try? Files.read(path, limit: 32) else { return .unchanged }
        guard let before = Int32(String(decoding: bytes.dropLast(), as: UTF8.self)) else { return .unchanged }
        let file = open(path, O_WRONLY | O_CLOEXEC)
        if file < 0 { return .unchanged }
        defer { close(file) }
        return write(file, "-1000", 5) == 5 ? .changed(before: before) : .unchanged
    }
}
