// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

public import BatonCore
import BatonSystem
import Synchronization

/// Wakes one waiter. A ring while nobody waits is remembered; any number of rings before a wait count as one.
public final class Doorbell: Sendable {
    private enum State {
        case silent
        case rung
        /// `alarm`: the number of the alarm that ends the wait; 0: none does.
        case waiting(CheckedContinuation<Void, Never>, alarm: UInt64)
    }
    private let state = Mutex(State.silent)
    private let tell: (@Sendable () -> Void)?

    /// A silent bell.
    public init() { tell = nil }

    /// A bell that nobody waits for: each ring is a call of `tell`, which must return at once.
    package init(tell: @escaping @Sendable () -> Void) { self.tell = tell }

    /// Wakes the waiter, or the next one to come.
    public func ring() {
        guard let tell else { return endWait(otherwise: .rung) }
        tell()
    }

    /// Returns at the next ring, at `deadline`, or when the task is cancelled, whichever comes first.
    ///
    /// One waiter at a time.
    public func wait(until deadline: Instant) async {
        if deadline != .distantFuture, deadline <= BootClock.now() { return silence() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in begin(continuation, until: deadline) }
        } onCancel: {
            endWait(otherwise: nil)
        }
    }

    @inline(never)
    private func begin(_ continuation: CheckedContinuation<Void, Never>, until deadline: Instant) {
        let alarm = deadline == .distantFuture ? 0 : AlarmClock.shared.nextNumber()
        let isReady = state.withLock { state -> Bool in
            if case .rung = state {
                state = .silent
                return true
            }
            if Task.isCancelled { return true }
            state = .waiting(continuation, alarm: alarm)
            return false
        }
        if isReady {
            continuation.resume()
        } else if alarm != 0 {
            AlarmClock.shared.set(alarm, self, at: deadline)
        }
    }

    /// The wait that set this alarm is over, unless it is already.
    func timeIsUp(for alarm: UInt64) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard case .waiting(let continuation, alarm) = state else { return nil }
            state = .silent
            return continuation
        }
        waiter?.resume()
    }

    func isWaiting(for alarm: UInt64) -> Bool {
        state.withLock { if case .waiting(_, alarm) = $0 { true } else { false } }
    }

    private func silence() { state.withLock { if case .rung = $0 { $0 = .silent } } }

    private func endWait(otherwise next: State?) {
        let (waiter, alarm) = state.withLock { state -> (CheckedContinuation<Void, Never>?, UInt64) in
            guard case .waiting(let continuation, let alarm) = state else {
                if let next { state = next }
                return (nil, 0)
            }
            state = .silent
            return (continuation, alarm)
        }
        waiter?.resume()
        if alarm != 0 { AlarmClock.shared.drop() }
    }
}
