// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem

/// The one line that `systemctl status` shows, said again when it changes.
struct StatusLine: Sendable {
    let board: StatusBoard
    let notify: Notify
    let store: Store

    func run() async {
        guard notify.isConnected else { return }
        var last = ""
        var seen: (edition: Int, state: StoreState)?
        while !Task.isCancelled {
            // Before the jobs are read: a post in between is seen the next time.
            let current = (edition: board.edition, state: store.state)
            if seen.map({ $0 != current }) ?? true {
                let line = StatusLine.text(board.all(), store: current.state)
                if line != last { notify.status(line) }
                last = line
            }
            seen = current
            try? await BootClock.sleep(until: BootClock.now() + .seconds(1))
        }
    }

    /// As in `9 jobs: 2 running here, 6 elsewhere, 1 waiting for the store`.
    static func text(_ jobs: [StatusReport.Job], store: StoreState) -> String {
        var counts: [(String, Int)] = []
        func count(_ words: String, _ states: Set<StatusReport.State>) {
            let number = jobs.count { states.contains($0.state) }
            if number > 0 { counts.append((words, number)) }
        }
        count("running here", [.running, .starting, .stopping])
        count("on standby", [.standby])
        count("waiting for the store", [.waitingForStore])
        count("to be restarted", [.backoff])
        count("held down or finished", [.heldDown, .finished, .paused])
        count("not for this node", [.ineligible])
        count("disabled", [.disabled])
        count("invalid", [.invalid])
        let parts = counts.map { "\($0.1) \($0.0)" }.joined(separator: ", ")
        let head = "\(jobs.count) job\(jobs.count == 1 ? "" : "s")" + (parts.isEmpty ? "" : ": " + parts)
        if case .unreachable(let why) = store { return head + "; store unreachable: " + why }
        return head
    }
}
