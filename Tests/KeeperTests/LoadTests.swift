// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import Testing

/// A keeper among 256 processes that never sleep: those of its own workload.
@Suite(.timeLimit(.minutes(1)), .serialized) struct LoadTests {
    @Test func aBusyMachineDoesNotMakeTheKillLate() async throws {
        let workload = keeperPath.dropLast("baton-keeper".count) + "test-workload"
        try await withRun(
            "exec \(workload) \"$PWD/lines\" --busy 256 --period 1 --ignore-term",
            configure: { if runsAsRoot { $0.nice = -20 } }
        ) { run in
            let isRealtime = try await run.hello().realtime
            var deadline = run.go(for: .seconds(3))
            // All of them, or as many as the machine starts in that time.
            while lines(run).pids.count < 256, BootClock.now() < deadline - .seconds(1) {
                try await Task.sleep(for: .milliseconds(100))
            }
            deadline = max(deadline, BootClock.now() + .seconds(1))
            run.link.send(.extend(deadline: deadline))
            _ = try await run.status()
            let (pids, last) = lines(run)
            let late = last - deadline
            print(
                "256 busy processes: \(pids.count) ran, the last line \(late) after the deadline, real-time \(isRealtime)"
            )
            #expect(pids.count > 100)
            #expect(last > deadline - .milliseconds(100), "they were killed early")
            #expect(late < (isRealtime ? .milliseconds(50) : .milliseconds(250)))
        }
    }

    /// Who wrote, and the time of the latest line of all.
    private func lines(_ run: Run) -> (pids: Set<String>, last: Instant) {
        var pids: Set<String> = []
        var last: Int64 = 0
        for line in text("\(run.scratch)/lines").split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 8, let at = Int64(words[0]) else { continue }
            pids.insert(String(words[6]))
            last = max(last, at)
        }
        return (pids, Instant(nanoseconds: last))
    }
}
