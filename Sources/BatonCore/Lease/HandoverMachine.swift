// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The lock of a job whose run is proved to be over, left by one loop of the job to the next: a restart that a reload
/// asks for stays on its node.
package struct LockLegacy: Equatable, Sendable {
    package let record: LeaseRecord
    /// The end of the lease.
    package let deadline: Instant

    package init(record: LeaseRecord, deadline: Instant) {
        self.record = record
        self.deadline = deadline
    }
}

/// Takes over the lock that the loop before this one left, or gives it back.
///
/// It becomes a new grant by a renewal that swaps the token (rule N3): whatever is still on its way for the old one hits
/// nothing. The fence grows by one, and the store is told in the same request (rule S7): what the run before sent may
/// still arrive somewhere. There is one attempt. If it fails, the lock is given back, and whoever is first has it; where
/// that fails it runs out by itself. Each action has one event as its answer.
package struct HandoverMachine: Equatable, Sendable {
    package enum Event: Equatable, Sendable {
        case began
        case looked(Mark?)
        /// What the store said, and when by its clock, to the request that was about to be sent at `sentAt`.
        case answered(RenewReply, sentAt: Instant, granted: ServerTime? = nil)
        /// What was asked for was not answered.
        case failed
        /// A release was answered.
        case released
    }

    package enum Action: Equatable, Sendable {
        /// Look at the mark: an operator may have stopped the job meanwhile.
        case look
        /// Send ``HandoverMachine/request(of:_:serverTime:at:)``.
        case swap
        /// Whatever else happens.
        case release(Bytes)
        /// Nil: the lock is to be competed for.
        case over(LockGrant?)
    }

    private enum State: Equatable, Sendable {
        case idle
        case looking
        case swapping
        /// The tokens that may still hold it.
        case releasing([Bytes])
        case over(LockGrant?)
    }

    private let legacy: LockLegacy
    private let successor: RenewRequest.Successor?
    private var state = State.idle

    /// - Parameter successor: a fresh token, and the holder record that goes with it; nil: nobody follows.
    package init(_ legacy: LockLegacy, successor: RenewRequest.Successor?) {
        self.legacy = legacy
        self.successor = successor
    }

    /// The fence of the grant.
    private var fence: Int64 { legacy.record.fence + 1 }

    /// What is to be sent for `.swap`.
    package func request(
        of keys: LockKeys, _ policy: LockPolicy, serverTime: Int64?, at now: Instant
    ) -> RenewRequest {
        policy.renewal(
            of: keys, token: legacy.record.token, deadline: legacy.deadline, fence: fence,
            holder: successor?.holder, successor: successor, serverTime: serverTime, at: now)
    }

    package mutating func handle(_ event: Event, at now: Instant) -> Action {
        switch (state, event) {
        case (.idle, .began):
            guard successor != nil else { return giveBack() }
            state = .looking
            return .look
        case (.looking, .looked(let mark)):
            guard mark?.stops != true, now < legacy.deadline else { return giveBack() }
            state = .swapping
            return .swap
        case (.looking, .failed): return giveBack()
        case (.swapping, .answered(let reply, let sentAt, let time)):
            // A yes that comes after the end of the lease is undone.
            guard let successor, case .renewed = reply, now < legacy.deadline else { return giveBack() }
            return end(
                LockGrant(token: successor.token, sentAt: sentAt, granted: time, fence: fence, failures: 0))
        case (.swapping, .failed): return giveBack()
        case (.releasing(let tokens), .released), (.releasing(let tokens), .failed): return release(tokens)
        case (.over(let grant), _): return .over(grant)
        case (.idle, .looked), (.idle, .answered), (.idle, .failed), (.idle, .released), (.looking, .began),
            (.looking, .answered), (.looking, .released), (.swapping, .began), (.swapping, .looked),
            (.swapping, .released), (.releasing, .began), (.releasing, .looked), (.releasing, .answered):
            preconditionFailure("\(event) answers nothing that was asked for")
        }
    }

    private mutating func giveBack() -> Action {
        var tokens = legacy.record.candidates
        if case .swapping = state, let successor { tokens.append(successor.token) }
        return release(tokens)
    }

    private mutating func release(_ tokens: [Bytes]) -> Action {
        guard let first = tokens.first else { return end(nil) }
        state = .releasing(Array(tokens.dropFirst()))
        return .release(first)
    }

    private mutating func end(_ grant: LockGrant?) -> Action {
        state = .over(grant)
        return .over(grant)
    }
}
