// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import Synchronization

/// One request on its way through the database's thread: answered once, by that thread or by its time limit.
final class Attempt<Value: Sendable>: Sendable {
    private enum Phase {
        case queued(CheckedContinuation<Result<Value, LockError>, Never>)
        case running(CheckedContinuation<Result<Value, LockError>, Never>)
        case over
    }
    private let phase: Mutex<Phase>

    init(_ continuation: CheckedContinuation<Result<Value, LockError>, Never>) {
        phase = Mutex(.queued(continuation))
    }

    /// True when the request is still wanted; from then on it may be applied.
    func begin() -> Bool {
        phase.withLock { phase in
            guard case .queued(let continuation) = phase else { return false }
            phase = .running(continuation)
            return true
        }
    }

    /// Hands the outcome over, unless the time limit was faster.
    func finish(_ outcome: Result<Value, LockError>) {
        let continuation = phase.withLock { phase -> CheckedContinuation<Result<Value, LockError>, Never>? in
            guard case .running(let continuation) = phase else { return nil }
            phase = .over
            return continuation
        }
        continuation?.resume(returning: outcome)
    }

    /// Ends the wait: a request that has not begun never will; one that has may yet be applied.
    func giveUp(notBegun: LockError, begun: LockError) {
        let taken = phase.withLock { phase -> (CheckedContinuation<Result<Value, LockError>, Never>, LockError)? in
            defer { phase = .over }
            switch phase {
            case .queued(let continuation): return (continuation, notBegun)
            case .running(let continuation): return (continuation, begun)
            case .over: return nil
            }
        }
        taken?.0.resume(returning: .failure(taken?.1 ?? begun))
    }
}
