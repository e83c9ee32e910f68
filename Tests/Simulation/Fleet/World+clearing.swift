// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// A daemon that kills what is left of a run by itself.
struct Clearing {
    let runID: String
    let run: Int32?
    /// How often it looked for the status.
    var looks = 0
}

extension World {
    /// Kills whatever is left of a run, and tells the loop when nothing is.
    mutating func clear(_ runID: String, _ shell: Shell) {
        goOn(Clearing(runID: runID, run: judge.run(runID)), after: physics.between(50_000, 1_000_000), shell)
    }

    private mutating func goOn(_ clearing: Clearing, after pause: Int64, _ shell: Shell) {
        let slot = clearings.add(clearing)
        schedule(.clearing, at: now + pause, node: shell.node, job: shell.job, id: shell.id, slot: slot)
    }

    mutating func clearingGoesOn(_ slot: Int32, _ shell: Shell) {
        guard var clearing = clearings.take(slot) else { return }
        if let run = clearing.run, runs[Int(run)].hasProcesses {
            judge.saw(.daemonKilled)
            killTree(run)
        } else if let end = clearing.run.flatMap({ runs[Int($0)].status }) {
            return advance(shell, .treeGone(runID: clearing.runID, outcome(end)))
        } else if clearing.looks == 50 {
            return advance(shell, .treeGone(runID: clearing.runID, nil))
        } else {
            clearing.looks += 1
        }
        goOn(clearing, after: 10_000_000, shell)
    }

    /// A run that never ran, or that a later one has followed.
    mutating func discard(_ run: Int32) {
        killTree(run)
        removeFolder(run)
    }

    /// Removes the folder of a run, a little later; a daemon that dies before leaves it.
    mutating func removeFolder(_ run: Int32) {
        let node = runs[Int(run)].node
        runs[Int(run)].isSettled = true
        schedule(
            .archived, at: now + physics.between(500_000, 20_000_000), node: node, job: runs[Int(run)].job, id: run,
            slot: nodes[node].daemon.life)
    }

    mutating func removeFolderNow(_ run: Int32) {
        runs[Int(run)].hasFolder = false
        nodes[runs[Int(run)].node].folders[runs[Int(run)].job].removeAll { $0 == run }
    }

    func outcome(_ end: RunEnd) -> RunOutcome { RunOutcome(end) { "errno \($0)" } }
}
