// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Processes: they start, obey, leave others behind, and die.
extension World {
    mutating func startWorkload(_ run: Int32) {
        runs[Int(run)].main = .forked
        let slow = nodes[runs[Int(run)].node].slowLaunchUntil > now && physics.happens(300)
        schedule(
            .executed, at: now + physics.between(100_000, slow ? scenario.longest : 2_000_000),
            node: runs[Int(run)].node,
            id: run)
    }

    mutating func signalWorkload(_ run: Int32, _ signal: Int32) {
        let index = Int(run)
        guard runs[index].main == .running, runs[index].work.obeysAfter >= 0, runs[index].termAt == nil else { return }
        runs[index].termAt = now
        schedule(
            .exited, at: now + 100_000 + runs[index].work.obeysAfter, node: runs[index].node, id: run, slot: 0)
    }

    /// SIGKILL to all processes of a run. It takes a moment.
    mutating func killTree(_ run: Int32) {
        guard runs[Int(run)].hasProcesses else { return }
        let isSlow = physics.happens(30) && !runs[Int(run)].hadEscape
        let late = physics.between(20_000, isSlow ? 25_000_000 : 1_500_000)
        // A child that is just being forked may escape, if it has left the cgroup; not for ever.
        let mayEscape = runs[Int(run)].keeper != .stopped && runs[Int(run)].strays > 0 && !runs[Int(run)].hadEscape
        let escapes = mayEscape && !isSlow && physics.happens(50)
        if escapes { runs[Int(run)].hadEscape = true }
        schedule(.killed, at: now + late, node: runs[Int(run)].node, id: run, slot: escapes ? 1 : 0)
    }

    mutating func toWorkload(_ next: Occurrence) {
        let run = next.id
        let index = Int(run)
        switch next.kind {
        case .executed: executed(run)
        case .exited:
            guard runs[index].main == .running else { return }
            runs[index].exit = next.slot == 9 ? .signal(9) : .code(next.slot)
            mainDied(run)
        case .killed:
            guard runs[index].hasProcesses else { return }
            let (told, at) = (runs[index].runID, runs[index].node)
            let escaped = next.slot == 1 && runs[index].strays > 0
            note(at, "\(told): all of its processes are killed\(escaped ? " but one" : "")")
            runs[index].strays = escaped ? 1 : 0
            if runs[index].main == .running || runs[index].main == .forked {
                runs[index].exit = .signal(9)
                mainDied(run)
            } else {
                childrenChanged(run, 0)
            }
        case _: break
        }
    }

    private mutating func executed(_ run: Int32) {
        let index = Int(run)
        guard runs[index].main == .forked else { return }
        let (node, job) = (runs[index].node, runs[index].job)
        // The child looks at the clock itself, right before it becomes the program.
        guard let deadline = runs[index].boardDeadline, clock(node) < deadline else {
            judge.saw(.startedTooLate)
            runs[index].main = .dead
            return childrenChanged(run, 2)
        }
        // It dies with the keeper that forked it (PR_SET_PDEATHSIG).
        guard runs[index].keeper.exists else {
            runs[index].main = .dead
            return
        }
        runs[index].main = .running
        runs[index].wasStarted = true
        runs[index].strays = runs[index].work.strays
        let (told, fence) = (runs[index].runID, runs[index].fence)
        note(node, "\(told): the workload of job \(job + 1) runs, fence \(fence)")
        judgeStart(run)
        childrenChanged(run, 1)
        let lasts = runs[index].work.lasts
        if lasts > 0 {
            schedule(
                .exited, at: now + physics.between(lasts, lasts + lasts / 2), node: node, id: run,
                slot: runs[index].work.fails ? 1 : 0)
        }
    }

    mutating func mainDied(_ run: Int32) {
        runs[Int(run)].main = .dead
        let (told, at) = (runs[Int(run)].runID, runs[Int(run)].node)
        note(at, "\(told): its main process is dead")
        childrenChanged(run, 0)
    }

    /// The keeper is told by SIGCHLD, or the error pipe.
    private mutating func childrenChanged(_ run: Int32, _ what: Int32) {
        schedule(
            .reaped, at: now + physics.between(20_000, 200_000), node: runs[Int(run)].node, id: run, slot: what)
    }
}
