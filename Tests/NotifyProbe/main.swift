// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

// Says to systemd what the lines on stdin ask for, with its own environment. A test plays systemd: to change the
// environment of the test process itself would race with every other test.

import BatonDaemon
import Logging

let notify = Notify()
while let line = readLine() {
    let words = line.split(separator: " ", maxSplits: 1).map(String.init)
    switch words.first {
    case "ready": notify.ready()
    case "status": notify.status(words[1])
    case "stopping": notify.stopping()
    case "reloading": notify.reloading()
    case "extend": notify.extendTimeout(microseconds: UInt64(words[1]) ?? 0)
    case "interval": print(Notify.watchdogInterval().map { "\($0)" } ?? "none")
    case "connected": print(notify.isConnected)
    case "pulse":
        // One loop that answers each time it is asked, until it was asked that often; then it hangs.
        let logger = Logger(label: "probe") { _ in SwiftLogNoOpLogHandler() }
        let pulse = WatchdogPulse(notify: notify, interval: Notify.watchdogInterval(), logger: logger)
        let (asked, ask) = AsyncStream<Void>.makeStream()
        pulse.watch("loop") { ask.yield() }
        let answers = Int(words[1]) ?? 0
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await pulse.run() }  // It only ends because it is cancelled.
            var count = 0
            for await _ in asked {
                count += 1
                if count <= answers { pulse.progressed("loop") }
                if count == answers + 10 { break }
            }
            group.cancelAll()
        }
    default: print("unknown: \(line)")
    }
}
await notify.flush()
