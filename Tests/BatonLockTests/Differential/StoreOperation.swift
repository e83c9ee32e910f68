// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// One step of a sequence that a store and the model are both put through.
///
/// Steps name what they present by where it comes from ("the newest nonce"), not by value: a sequence makes sense on
/// any store, and still does when steps before it are taken out.
enum StoreOperation: Sendable, Equatable {
    case acquire(Acquire)
    case renew(Renew)
    case release(Release)
    case look(Place)
    case setMark(Mark?, Place)
    case restoreMark(Mark, Place)
    case settle(Settle)
    case ask(Place, call: String)
    case lookAtLedger(Place)
    case history(Place, limit: Int)
    /// Time passes.
    case pass(Duration)
    /// Time passes until the next lock, mark or lease has just ended, if that is not far.
    case passNextEnd
    /// What happens to a store.
    case forgetEverything
    case deleteLock(Place)
    case deleteLedger(Place)
    /// The ledger's position becomes one so many seconds from now.
    case movePosition(Place, Int64)
    case restart

    /// Which lock: two of one prefix, which share their epoch record, and one of a library.
    enum Place: String, Sendable, CaseIterable {
        case report, backup, library

        var keys: LockKeys {
            switch self {
            case .report, .backup: LockKeys(prefix: "test", job: rawValue)
            case .library: LockKeys(name: bytes(rawValue))
            }
        }
    }

    /// Which of the values that the store gave out is presented to it.
    enum Presented: String, Sendable {
        case nothing, newest, older, wrong
    }

    /// The token of whoever holds the lock by then; "a" when nobody does.
    static let holder = "holder"

    struct Acquire: Sendable, Equatable {
        var place: Place
        var token: String
        var isFresh = false
        var timeout: Duration?
        /// From now.
        var notAfter: Duration?
        var guarding: Guarding?
        /// What is known of earlier fences; nil: none is wanted.
        var fence: Fence?
        var holder: String?
        var heedsMarks = false
        var claim: Claim?
    }

    struct Guarding: Sendable, Equatable {
        var nonce = Presented.nothing
        var claim = Presented.nothing
        /// Whether this client is configured with another `max_lock_timeout`.
        var isMisfit = false
    }

    /// The largest fence that a client knows of.
    enum Fence: Sendable, Equatable {
        case unknown
        /// The largest that the store has granted.
        case last
        /// One so far ahead of the clock.
        case ahead(Duration)
    }

    struct Renew: Sendable, Equatable {
        var place: Place
        var token: String
        var change: RenewRequest.Change
        var notAfter: Duration?
        var isGuarded = false
        var successor: String?
        var fence = Fence.unknown
        var holder: String?
        var ledger: Run?
    }

    struct Release: Sendable, Equatable {
        var place: Place
        var token: String
        var mark: Mark?
        var isGuarded = false
        var outcome: Outcome?
    }

    /// Whether the store gives an answer to it.
    var isQuestion: Bool {
        switch self {
        case .acquire, .renew, .release, .look, .setMark, .restoreMark, .settle, .ask, .lookAtLedger, .history: true
        case .pass, .passNextEnd, .forgetEverything, .deleteLock, .deleteLedger, .movePosition, .restart: false
        }
    }

    /// The same step with one thing less.
    var simpler: [StoreOperation] {
        switch self {
        case .acquire(let step):
            return [
                step.with(\.claim, nil), step.with(\.notAfter, nil), step.with(\.holder, nil),
                step.with(\.fence, step.claim == nil ? nil : .unknown),
                step.with(\.heedsMarks, false), step.with(\.guarding, nil), step.with(\.isFresh, step.claim != nil),
                step.with(\.claim, step.claim.map { $0.with(\.floor, nil).with(\.lines, 0) }),
                step.with(\.guarding, step.guarding.map { $0.with(\.claim, .nothing) }),
                step.with(\.guarding, step.guarding.map { $0.with(\.nonce, .nothing) }),
            ].map { .acquire($0) }
        case .renew(let step):
            return [
                step.with(\.notAfter, nil), step.with(\.fence, .unknown), step.with(\.holder, nil),
                step.with(\.successor, nil), step.with(\.isGuarded, false), step.with(\.ledger, nil),
            ].map { .renew($0) }
        case .release(let step):
            return [
                step.with(\.mark, nil), step.with(\.isGuarded, false), step.with(\.outcome, nil),
                step.with(\.outcome, step.outcome.map { $0.with(\.line, nil) }),
            ].map { .release($0) }
        case .settle(let step):
            return [
                step.with(\.isGuarded, false), step.with(\.floor, nil), step.with(\.fence, .unknown),
                step.with(\.tick, nil),
                step.with(\.lines, 0),
            ].map { .settle($0) }
        case .look, .setMark, .restoreMark, .ask, .lookAtLedger, .history, .pass, .passNextEnd, .forgetEverything,
            .deleteLock,
            .deleteLedger, .movePosition, .restart:
            return []
        }
    }
}

extension StoreOperation.Acquire: Changeable {}
extension StoreOperation.Renew: Changeable {}
extension StoreOperation.Release: Changeable {}
extension StoreOperation.Guarding: Changeable {}
