// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

extension Lock {
    /// Runs `body` in a scope of its own: a token acquired inside is seen by its child tasks, and by nobody else.
    ///
    /// Only of use with `tokenScope: .task`.
    public func scoped<Result: Sendable>(_ body: () async throws -> Result) async rethrows -> Result {
        var scopes = Lock.scopes
        scopes[ObjectIdentifier(self)] = TokenBox()
        return try await Lock.$scopes.withValue(scopes) { try await body() }
    }

    /// Acquires the lock, runs `body`, and releases it. A lock with a timeout is renewed every third of it meanwhile.
    ///
    /// If the lease is lost the body's task is cancelled: it should end at once. The body has ended, and so has the
    /// renewal, before the lock is released.
    ///
    /// - Throws: the body's error, whatever the release says; ``LockError`` with `notAcquired` when the lock could not
    ///   be had in time; `notOwned` when the body ended well but the lease had been lost.
    public func withLock<Result: Sendable>(
        _ wait: Wait? = nil, _ body: @escaping @Sendable (Lease) async throws -> Result
    ) async throws -> Result {
        try await scoped {
            guard let held = try await granted(wait) else {
                throw LockError(.notAcquired, lock: name, "unable to acquire the lock within the time allowed")
            }
            let lease = Lease(fence: held.fence, deadline: held.deadline)
            let (outcome, isLost) = await renewed(held) { try await body(lease) }
            var releaseError: (any Error)?
            // Its own lock and no other's: if the lease was lost, another task may hold this `Lock` by now.
            do { try await release(held) } catch { releaseError = error }
            let result = try outcome.get()
            if let releaseError { throw releaseError }
            if isLost { throw LockError(.notOwned, lock: name, "the lease was lost before the body had ended") }
            return result
        }
    }

    private enum Ended<Result: Sendable>: Sendable {
        case body(Swift.Result<Result, any Error>)
        /// Whether the lease is over, or its watch merely was cancelled.
        case lease(isOver: Bool)
    }

    /// The body beside its heartbeat; the body is cancelled when the lease is lost, which is told as well.
    private func renewed<Result: Sendable>(
        _ held: Held, _ body: @escaping @Sendable () async throws -> Result
    ) async -> (Swift.Result<Result, any Error>, isLost: Bool) {
        await withTaskGroup(of: Ended<Result>.self) { group in
            group.addTask {
                do { return .body(.success(try await body())) } catch { return .body(.failure(error)) }
            }
            if let deadline = held.deadline {
                let end = LeaseEnd(deadline)
                group.addTask {
                    .lease(isOver: await self.heartbeat(held, end))
                }
                // Apart from the heartbeat: a request that does not come back must not keep the body going.
                group.addTask {
                    .lease(isOver: await end.passed())
                }
            }
            var outcome: Swift.Result<Result, any Error>?
            var isLost = false
            while let ended = await group.next() {
                switch ended {
                case .body(let result): outcome = result
                case .lease(let isOver): isLost = isLost || isOver && outcome == nil
                }
                group.cancelAll()
            }
            return (outcome ?? .failure(CancellationError()), isLost)
        }
    }

    /// Renews until the lease is lost (true) or the task is cancelled.
    private func heartbeat(_ held: Held, _ end: LeaseEnd) async -> Bool {
        guard let deadline = held.deadline, let timeout, let box else { return false }
        let timing = client.policy.timing
        var machine = LeaseMachine(timing: timing, sentAt: deadline - timing.timeout + timing.drift)
        var event = LeaseMachine.Event.woke
        var before = held
        while !Task.isCancelled {
            var answer: LeaseMachine.Event?
            for action in machine.handle(event, at: BootClock.now()) {
                switch action {
                case .renew(let limit):
                    before = box.held.withLock { $0 } ?? held
                    box.limit(held.token, to: BootClock.now() + timeout - timing.drift)
                    answer = await renewal(held, .reset(timeout), deadline: machine.deadline, within: limit)
                case .deadlineMoved(let moved):
                    end.move(to: moved)
                    box.renewed(before, until: moved)
                case .undo: break  // the release that follows covers it
                case .lost:
                    box.limit(held.token, to: BootClock.now())
                    return true
                }
            }
            if let answer {
                event = answer
            } else {
                guard let wake = machine.nextWake, (try? await BootClock.sleep(until: wake)) != nil else {
                    return false
                }
                event = .woke
            }
        }
        return false
    }

    private func renewal(
        _ held: Held, _ change: RenewRequest.Change, deadline: Instant, within limit: Duration
    ) async -> LeaseMachine.Event {
        do {
            let (reply, sentAt) = try await client.renew(
                token: held.token, change: change, deadline: deadline, fence: held.fence, holder: nil, within: limit)
            switch reply {
            case .renewed: return .renewed(sentAt: sentAt)
            case .lost: return .refused
            case .unsettled: return .failed(jitter: .random(in: 0..<1))
            }
        } catch {
            return .failed(jitter: .random(in: 0..<1))
        }
    }
}
