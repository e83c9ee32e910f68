// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

extension Keeper {
    /// Does what the machine says. Nothing here waits; what comes of it is an event.
    func perform(_ action: KeeperMachine.Action) {
        switch action {
        case .greet(let phase, let deadline, let pid): greet(phase, deadline, pid)
        case .startWorkload: startWorkload()
        case .signalWorkload(let signal): workload.signal(signal)
        case .killTree: killTree()
        case .report(let report): daemon.send(report)
        case .writeStatus(let end): conclude(end)
        case .exit: leave()
        case .wake(let at): clinux_arm_timer(timer, at.nanoseconds)
        }
    }

    private func greet(_ phase: KeeperPhase, _ deadline: Instant?, _ pid: Int32?) {
        daemon.send(
            .hello(
                KeeperReport.Hello(
                    runID: context.spec.runID, phase: phase, deadline: deadline, workload: pid, keeper: getpid(),
                    guardian: context.guardian, realtime: realtime)))
    }

    private func startWorkload() {
        do throws(StartFailure) {
            let ends = try output.open(for: context.spec)
            defer {
                if ends.out >= 0 { close(ends.out) }
                if ends.err >= 0 { close(ends.err) }
            }
            try workload.start(context, pipes: ends)
            output.began(context.spec, pid: workload.pid)
        } catch {
            events.append(.startFailed(step: error.step, errno: error.errno))
        }
    }

    func readStartOutcome() {
        switch workload.startOutcome() {
        case nil: break
        case .success(let pid): events.append(.workloadStarted(pid: pid))
        case .failure(let failure): events.append(.startFailed(step: failure.step, errno: failure.errno))
        }
    }

    /// The main process and its group first: that waits for nothing. Then the cgroup, which is one write for all of it,
    /// but a write that needs the kernel's lock of all cgroups. Then whoever left it.
    ///
    /// Mostly the run ended by itself and left nobody: that is proved in a few calls, where a look at every process of
    /// the machine takes milliseconds, in which no other node may start.
    private func killTree() {
        workload.signal(SIGKILL)
        reap()
        if events.contains(.treeEmpty) { return }
        context.cgroup?.kill()
        ProcessTree.killDescendants(of: getpid())
        if context.cgroup == nil { ProcessTree.killBearers(ofRun: context.spec.runID) }
        watchCgroup()
        reap()
    }

    /// Waits for every child that has ended. As a subreaper, the keeper is the parent of all that the workload left.
    func reap() {
        var code: Int32 = 0
        var status: Int32 = 0
        while true {
            let pid = clinux_reap_any(&code, &status)
            if pid <= 0 { break }
            if pid != workload.pid { continue }
            // It started before it ended: in this order the machine is told.
            readStartOutcome()
            workload.reaped()
            events.append(.mainExited(code == CLD_EXITED ? .code(status) : .signal(status)))
        }
        checkEmpty()
    }

    /// Whether the run is over: no children, so no descendants either, and nobody in the cgroup.
    func checkEmpty() {
        guard machine.phase == .clearing, workload.pid == nil, !events.contains(.treeEmpty) else { return }
        var code: Int32 = 0
        var status: Int32 = 0
        while true {
            let reaped = clinux_reap_any(&code, &status)
            if reaped == 0 { return }
            if reaped == -ECHILD { break }
        }
        if let cgroup = context.cgroup {
            if cgroup.isPopulated { return }
        } else if ProcessTree.killBearers(ofRun: context.spec.runID) > 0 {
            return
        }
        events.append(.treeEmpty)
    }

    private func watchCgroup() {
        guard cgroupEvents < 0, let cgroup = context.cgroup else { return }
        cgroupEvents = open(cgroup.path + "/cgroup.events", O_RDONLY | O_CLOEXEC)
        drainCgroupEvents()
    }

    /// Until it is read, the file goes on saying that it has changed.
    func drainCgroupEvents() {
        if cgroupEvents < 0 { return }
        withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
            // Gone, or unreadable: then the machine's own timer is what looks again.
            if pread(cgroupEvents, buffer.baseAddress, buffer.count, 0) <= 0 { stopWatchingCgroup() }
        }
    }

    private func stopWatchingCgroup() {
        if cgroupEvents >= 0 { close(cgroupEvents) }
        cgroupEvents = -1
    }

    /// Nothing of the run is left: puts everything away, and the status last.
    private func conclude(_ end: RunEnd) {
        stopWatchingCgroup()
        output.finish()
        context.cgroup?.remove()
        if case .file = context.spec.output {} else { RunStatus.writeTail(context.board.tail) }
        RunStatus.write(end)
        context.lock.release()
    }

    private func leave() -> Never {
        unlink(RunFile.control)
        unlink(RunFile.held)
        unlink(RunFile.notify)
        _exit(0)
    }
}
