// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import BatonSystem

/// One lock on one store: the requests of its holder, with what makes their answers safe to use.
///
/// ``Lock`` (the seed's class) and `batond`'s elections are both made of this and of ``Contender``. It holds no state:
/// tokens and leases are its callers'.
package final class LockClient: Sendable {
    package let store: any LockStore
    package let keys: LockKeys
    /// For messages.
    package let name: String
    package let policy: LockPolicy

    package init(store: any LockStore, keys: LockKeys, name: String, policy: LockPolicy) {
        self.store = store
        self.keys = keys
        self.name = name
        self.policy = policy
    }

    /// Renews, extends, or puts back.
    ///
    /// - Returns: the answer, with the instant before its request was sent, and the server's time in it.
    package func renew(
        token: Bytes, change: RenewRequest.Change, deadline: Instant?, fence: Int64?, holder: Bytes?,
        within timeout: Duration
    ) async throws(LockError) -> (reply: RenewReply, sentAt: Instant, time: ServerTime) {
        try await renew(within: timeout) { serverTime, now in
            policy.renewal(
                of: keys, token: token, change: change, deadline: deadline, fence: fence, holder: holder,
                serverTime: serverTime, at: now)
        }
    }

    /// The same with whatever request it is, made at the last moment.
    package func renew(
        within timeout: Duration, _ request: (_ serverTime: Int64?, _ now: Instant) -> RenewRequest
    ) async throws(LockError) -> (reply: RenewReply, sentAt: Instant, time: ServerTime) {
        let sentAt = try leaseStart()
        let answer = try await store.renew(request(store.serverTime(), BootClock.now()), timeout: timeout)
        return (answer.reply, sentAt, answer.time)
    }

    /// The instant that a lease counts from whose request is sent next: now, less what a slewed clock may hide.
    ///
    /// - Throws: `unavailable` while this machine's clock is slewed by more than a lease allows for.
    func leaseStart() throws(LockError) -> Instant {
        let now = BootClock.now()
        let deviation = ClockRate.deviation(at: now)
        guard deviation <= ClockRate.largestUsable else {
            let percent = Int(deviation * 100)
            throw LockError(
                .unavailable, lock: name, "this machine's clock is being slewed by \(percent) %: no lease is taken")
        }
        return now - .nanoseconds(Int64(Double(policy.timing.timeout.nanoseconds) * deviation))
    }

    /// Gives the lock back if `token` still holds it, and announces it. Shielded from cancellation by its callers.
    ///
    /// - Parameter outcome: how the run ended that was claimed with the lock; it counts whether or not the lock is ours.
    @discardableResult
    package func release(
        token: Bytes, mark: Mark? = nil, outcome: RunRecord? = nil
    ) async throws(LockError) -> Bool {
        try await store.release(
            policy.release(of: keys, token: token, mark: mark, outcome: outcome), timeout: policy.answerTimeout)
    }

    /// As ``release(token:mark:)``, shielded from cancellation.
    func releaseShielded(token: Bytes) async throws(LockError) -> Bool {
        if !Task.isCancelled {
            do throws(LockError) { return try await release(token: token) } catch {
                // A store may give up for a cancelled task: if nothing was sent, it is tried again.
                guard Task.isCancelled, error.isPassing, error.code != .unknownOutcome else { throw error }
            }
        }
        return try await uncancelled { [self] () -> Result<Bool, LockError> in
            do throws(LockError) { return .success(try await release(token: token)) } catch { return .failure(error) }
        }.get()
    }

    package func look() async throws(LockError) -> LockView {
        try await store.look(at: keys, timeout: policy.answerTimeout)
    }
}

/// Why a contender is waiting.
package indirect enum Waiting: Equatable, Sendable {
    case lock(WaitMachine.Reason, Sighting?)
    /// The store does not answer, or answers that it can't just now.
    case store(LockError)
}
