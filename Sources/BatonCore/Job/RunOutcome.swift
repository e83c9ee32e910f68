// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// How a run ended.
package enum RunOutcome: Equatable, Sendable {
    /// The main process exited with this code, which the job's file may call a success.
    case exit(Int32, isSuccess: Bool)
    /// The main process was ended by this signal, which Baton did not send.
    case signalled(Int32)
    /// Baton stopped it: an operator, or a drain.
    case stopped
    /// Baton stopped it, because it took longer than it may.
    case timedOut
    /// Baton stopped it for the next tick.
    case replaced
    /// The lease ran out, or was taken away.
    case leaseLost
    /// The lease was over by the store's clock, which went ahead of this node's (rule S10).
    case leaseOutrun
    /// A keeper died, and the workload was killed for it.
    case keeperLost
    /// It did not say that it is alive, though `run.watchdog` waited for it.
    case hung
    /// It never ran: which step failed, and why.
    case startFailed(String)

    /// The main process exited with this code; 0 is a success.
    package static func exited(_ code: Int32) -> RunOutcome { .exit(code, isSuccess: code == 0) }

    /// The same, by a job's own codes.
    func judged(by successCodes: Set<Int32>) -> RunOutcome {
        guard case .exit(let code, _) = self else { return self }
        return .exit(code, isSuccess: successCodes.contains(code))
    }

    /// What the keeper saw, in the words of the job.
    ///
    /// - Parameter describe: what the system calls an error of this number.
    package init(_ end: RunEnd, describe: (Int32) -> String) {
        switch end.reason {
        case .exited:
            switch end.exit {
            case .code(let code): self = .exited(code)
            case .signal(let signal): self = .signalled(signal)
            case nil: self = .keeperLost
            }
        case .stopped, .killed: self = .stopped
        case .leaseLost: self = .leaseLost
        case .startFailed(let step, let errno): self = .startFailed("\(step): \(describe(errno))")
        case .keeperLost, .guardLost: self = .keeperLost
        case .hung: self = .hung
        }
    }

    /// The word in `status` and in the log.
    package var word: String {
        ending.rawValue
    }

    /// What it is for the run's tick.
    package var ending: RunEnding {
        switch self {
        case .exit(_, isSuccess: true): .succeeded
        case .exit, .signalled, .startFailed, .keeperLost, .hung: .failed
        case .stopped: .stopped
        case .timedOut: .timeout
        case .replaced: .replaced
        case .leaseLost, .leaseOutrun: .lost
        }
    }

    /// What the restart policy does with it.
    var verdict: Verdict {
        switch self {
        case .exit(_, isSuccess: true): .success
        case .exit, .signalled, .startFailed, .keeperLost, .timedOut, .hung: .failure
        case .stopped, .replaced, .leaseLost, .leaseOutrun: .neither
        }
    }

    enum Verdict { case success, failure, neither }
}
