// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// The keeper's twin. It does nothing but watch, and ends the run when the keeper can't any more: when it died, or when
/// the deadline has passed and the run has not (a keeper that was stopped).
struct Guardian {
    private let context: RunContext
    private let keeper: pid_t
    private let keeperFD: Int32
    private let timer: Int32

    /// A healthy keeper has killed everything by then; the guard need not look for work.
    private static let patience = Duration.milliseconds(10)

    init(_ context: RunContext, keeper: pid_t) {
        self.context = context
        self.keeper = keeper
        keeperFD = clinux_pidfd_open(keeper)
        timer = clinux_boot_timer()
    }

    func run() -> Never {
        _ = context.becomeUnstoppable()
        if keeperFD < 0 || timer < 0 {
            // It can't watch, so it must not pretend to: the keeper sees it die and ends the run.
            _exit(1)
        }
        while true {
            var watched = [
                pollfd(fd: keeperFD, events: Int16(POLLIN), revents: 0),
                pollfd(fd: timer, events: Int16(POLLIN), revents: 0),
                pollfd(fd: context.board.bell, events: Int16(POLLIN), revents: 0),
                pollfd(fd: context.signals, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&watched, nfds_t(watched.count), -1) < 0 { continue }
            clinux_drain_timer(timer)
            clinux_drain_timer(context.board.bell)
            // As the main process of its unit, the guard is who is asked to stop; stopping is the keeper's.
            if clinux_drain_signals(context.signals) != 0 { _ = clinux_pidfd_signal(keeperFD, SIGTERM) }
            if watched[0].revents != 0 { afterKeeper() }
            guardDeadline()
        }
    }

    /// Kills at the deadline, and again and again until the keeper, woken, says that the run is over.
    private func guardDeadline() {
        guard let deadline = context.board.deadline else { return }
        let now = BootClock.now()
        var next = deadline + Self.patience
        if now >= next {
            killEverything()
            next = now + .milliseconds(100)
        }
        clinux_arm_timer(timer, next.nanoseconds)
    }

    /// In the other order than the keeper, which may be waiting in its cgroup.kill for the lock of all cgroups.
    private func killEverything() {
        ProcessTree.killDescendants(of: getpid(), sparing: keeper)
        context.cgroup?.kill()
        if context.cgroup == nil { ProcessTree.killBearers(ofRun: context.spec.runID) }
    }

    /// The keeper ended. In order: then so does the guard. Not in order: everything is killed, and the status says so.
    private func afterKeeper() {
        var code: Int32 = 0
        var status: Int32 = 0
        if clinux_pidfd_reap(keeperFD, &code, &status) != 1 { return }
        if code == CLD_EXITED && status == 0 { _exit(0) }
        var pause: Int32 = 2
        killEverything()
        while !isEmpty() {
            var watched = [pollfd(fd: context.signals, events: Int16(POLLIN), revents: 0)]
            // An ended child wakes it early, but it looks at most every two milliseconds.
            usleep(2000)
            poll(&watched, 1, pause)
            _ = clinux_drain_signals(context.signals)
            pause = min(pause * 2, 500)
            killEverything()
        }
        context.cgroup?.remove()
        if !RunStatus.exists {
            if case .file = context.spec.output {} else { RunStatus.writeTail(context.board.tail) }
            RunStatus.write(RunEnd(reason: .keeperLost, at: BootClock.now()))
        }
        unlink(RunFile.control)
        unlink(RunFile.held)
        unlink(RunFile.notify)
        context.lock.release()
        _exit(0)
    }

    /// Nothing of the run is left: as a subreaper without children, it has no descendants either.
    private func isEmpty() -> Bool {
        var code: Int32 = 0
        var status: Int32 = 0
        while true {
            let reaped = clinux_reap_any(&code, &status)
            if reaped == 0 { return false }
            if reaped < 0 { break }
        }
        if let cgroup = context.cgroup { return !cgroup.isPopulated }
        return ProcessTree.killBearers(ofRun: context.spec.runID) == 0
    }
}
