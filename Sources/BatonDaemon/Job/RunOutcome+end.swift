// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc

extension RunOutcome {
    /// What the keeper saw, in the words of the job.
    init(_ end: RunEnd) { self.init(end) { String(cString: strerror($0)) } }

    /// Worth a warning.
    var isFailure: Bool {
        switch self {
        case .exit(_, isSuccess: true), .stopped, .replaced: false
        case .exit, .signalled, .startFailed, .keeperLost, .hung, .timedOut, .leaseLost, .leaseOutrun: true
        }
    }

    /// What its end is for who looks for such events.
    var event: EventKind {
        switch self {
        case .leaseLost, .leaseOutrun: .leaseLost
        case .exit, .signalled, .stopped, .timedOut, .replaced, .keeperLost, .hung, .startFailed:
            isFailure ? .runFailed : .runEnded
        }
    }

    /// The outcome in a few words.
    var detail: String {
        switch self {
        case .exit(let code, _): "exit code \(code)"
        case .signalled(let signal): "ended by signal \(signal) (\(String(cString: strsignal(signal))))"
        case .stopped: "stopped by Baton"
        case .timedOut: "stopped by Baton: it took longer than run.timeout"
        case .replaced: "stopped by Baton for the next tick"
        case .leaseLost: "the lease ran out, or the lock was taken away"
        case .leaseOutrun:
            """
            the lease was over by the store's clock, which went ahead of this node's: the node was paused by its \
            hypervisor, or that clock was set forward
            """
        case .keeperLost: "its keeper died, so the workload was killed"
        case .hung: "stopped by Baton: it did not say that it is alive for longer than run.watchdog"
        case .startFailed(let why): "could not be started: \(why)"
        }
    }
}

extension StatusReport.LastRun {
    init(run: String, outcome: RunOutcome, node: String) {
        var code: Int32?
        var signal: Int32?
        switch outcome {
        case .exit(let value, _): code = value
        case .signalled(let value): signal = value
        case .stopped, .timedOut, .replaced, .leaseLost, .leaseOutrun, .keeperLost, .hung, .startFailed: break
        }
        self.init(
            runID: run, outcome: outcome.word, exitCode: code, signal: signal,
            reason: code == 0 ? nil : outcome.detail, node: node, finished: WallClock.rfc3339())
    }
}
