// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// One renewal of a job's lease; for a run that was taken over, also the swap of its token (rule N3).
///
/// The new token is on disk before it is sent, and stays the same for every attempt, also of the daemon after this one:
/// so two tokens at the most can be the lock's value, and the store takes either. Whatever the earlier daemon still has
/// in flight for the old token hits nothing. Each action has one event as its answer.
package struct RenewalMachine: Equatable, Sendable {
    package enum Event: Equatable, Sendable {
        case began
        case remembered
        /// The record could not be written.
        case notRemembered
        /// What the store said, and when by its clock, to the request that was about to be sent at `sentAt`.
        case answered(RenewReply, sentAt: Instant, granted: ServerTime? = nil)
        case failed
    }

    package enum Action: Equatable, Sendable {
        /// Write the record into the run's folder, for the daemon after this one.
        case remember(LeaseRecord)
        /// Send ``RenewalMachine/request(of:_:deadline:serverTime:at:)``.
        case send
        /// What the lease makes of it, and the record if it is another now.
        case over(LeaseMachine.Event, LeaseRecord?)
    }

    private enum State: Equatable, Sendable {
        case idle
        /// The new token is being written down.
        case announcing
        case sending
        /// The lock has the new token, and the old one is being forgotten.
        case settling(sentAt: Instant, granted: ServerTime?)
        case over(LeaseMachine.Event, LeaseRecord?)
    }

    /// As it was.
    private let record: LeaseRecord
    /// The token that replaces an earlier daemon's; nil: the lock has ours.
    private let successor: Bytes?
    private let holder: Bytes
    private let jitter: Double
    private var state = State.idle

    /// - Parameters:
    ///   - isInherited: the token is still an earlier daemon's.
    ///   - fresh: 128 random bits; asked for only if they are needed.
    ///   - holder: the holder record.
    ///   - jitter: 0 ..< 1, for the pause after a renewal that failed.
    package init(
        _ record: LeaseRecord, isInherited: Bool, fresh: @autoclosure () -> Bytes, holder: Bytes, jitter: Double
    ) {
        self.record = record
        self.holder = holder
        self.jitter = jitter
        successor = isInherited ? record.successor ?? fresh() : nil
    }

    /// What is to be sent now.
    package func request(
        of keys: LockKeys, _ policy: LockPolicy, deadline: Instant, serverTime: Int64?, at now: Instant
    ) -> RenewRequest {
        // Never shorter than it was granted for: the run's keeper may still go by the lease of a daemon before this one,
        // whose job file had a longer timeout.
        let timeout = max(policy.timing.timeout, record.timeout)
        var request = policy.renewal(
            of: keys, token: record.token, change: .reset(timeout), deadline: deadline, fence: record.fence,
            holder: holder,
            successor: successor.map { .init(token: $0, holder: holder) }, serverTime: serverTime, at: now)
        request.ledger = record.turn
        return request
    }

    package mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.idle, .began):
            guard let announced, announced != record else { return send() }
            state = .announcing
            return .remember(announced)
        case (.announcing, .remembered): return send()
        // Nothing was sent: the next attempt may well have another token.
        case (.announcing, .notRemembered): return end(.failed(jitter: jitter), nil)
        case (.sending, .answered(.renewed, let sentAt, let time)):
            guard let settled else { return end(.renewed(sentAt: sentAt, granted: time), nil) }
            state = .settling(sentAt: sentAt, granted: time)
            return .remember(settled)
        case (.sending, .answered(.lost, _, _)): return end(.refused, announced)
        case (.sending, .answered(.unsettled, _, _)), (.sending, .failed):
            return end(.failed(jitter: jitter), announced)
        // The record before it names the new token as well.
        case (.settling(let sentAt, let granted), .remembered), (.settling(let sentAt, let granted), .notRemembered):
            return end(.renewed(sentAt: sentAt, granted: granted), settled)
        case (.over(let event, let record), _): return .over(event, record)
        case (.idle, .remembered), (.idle, .notRemembered), (.idle, .answered), (.idle, .failed),
            (.announcing, .began), (.announcing, .answered), (.announcing, .failed), (.sending, .began),
            (.sending, .remembered), (.sending, .notRemembered), (.settling, .began), (.settling, .answered),
            (.settling, .failed):
            preconditionFailure("\(event) answers nothing that was asked for")
        }
    }

    /// The record while both tokens may be the lock's value.
    private var announced: LeaseRecord? {
        successor.map { with(record.token, successor: $0) }
    }

    /// The record once the new token is.
    private var settled: LeaseRecord? {
        successor.map { with($0, successor: nil) }
    }

    private func with(_ token: Bytes, successor: Bytes?) -> LeaseRecord {
        var record = record
        (record.token, record.successor) = (token, successor)
        return record
    }

    private mutating func send() -> Action {
        state = .sending
        return .send
    }

    private mutating func end(_ event: LeaseMachine.Event, _ record: LeaseRecord?) -> Action {
        state = .over(event, record)
        return .over(event, record)
    }
}
