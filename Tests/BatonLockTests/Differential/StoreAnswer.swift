// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

/// What a store, or the model, made of one step.
enum StoreAnswer: Equatable, Sendable {
    case acquire(AcquireReply)
    case renew(RenewReply)
    case released(Bool)
    case view(LockView)
    case ledger(LedgerView)
    case asked(LedgerView.Asked)
    case lines([Bytes])
    case done
    /// An error that says why it will not.
    case refused

    /// The values that only the store itself could have made.
    var drawn: (nonce: Bytes?, owner: Bytes?) {
        switch self {
        case .acquire(.unsettled(let nonce, _)): (nonce, nil)
        case .acquire(.held(let sighting)), .acquire(.orphaned(let sighting)): (nil, sighting.owner)
        default: (nil, nil)
        }
    }

    /// The same answer, with `change` made to everything that is read off a clock.
    func changingTimes(_ change: (Duration) -> Duration) -> StoreAnswer {
        func changed(_ mark: Mark) -> Mark {
            var mark = mark
            mark.remaining = mark.remaining.map(change)
            return mark
        }
        /// An outcome is not stamped with when it was written.
        func changed(_ view: LedgerView) -> LedgerView {
            var view = view
            if let entry = view.entry {
                view.entry?.changed = change(.microseconds(entry.changed)).nanoseconds / 1000
            }
            return view
        }
        func changed(_ sighting: Sighting) -> Sighting {
            var sighting = sighting
            sighting.timeToLive = sighting.timeToLive.map(change)
            // The length of a lease that was extended depends on when it was.
            sighting.timeout = sighting.timeout.map(change)
            return sighting
        }
        switch self {
        case .acquire(.held(let sighting)): return .acquire(.held(changed(sighting)))
        case .acquire(.orphaned(let sighting)): return .acquire(.orphaned(changed(sighting)))
        case .acquire(.ledger(let view)): return .acquire(.ledger(changed(view)))
        case .ledger(let view): return .ledger(changed(view))
        case .acquire(.marked(let mark)): return .acquire(.marked(changed(mark)))
        case .renew(.renewed(let left)): return .renew(.renewed(timeToLive: change(left)))
        case .view(var view):
            view.timeToLive = view.timeToLive.map(change)
            view.mark = view.mark.map(changed)
            view.ledger = view.ledger.map(changed)
            return .view(view)
        case .acquire, .renew, .released, .asked, .lines, .done, .refused: return self
        }
    }

    /// Whether the other answer is the same, with times that are no further apart than `tolerance`.
    func agrees(with other: StoreAnswer, within tolerance: Duration) -> Bool {
        let (ours, theirs) = (timeless, other.timeless)
        return ours.answer == theirs.answer
            && zip(ours.times, theirs.times).allSatisfy { abs(($0 - $1).nanoseconds) <= tolerance.nanoseconds }
    }

    private var timeless: (answer: StoreAnswer, times: [Duration]) {
        var times: [Duration] = []
        let answer = changingTimes {
            times.append($0)
            return .zero
        }
        return (answer, times)
    }
}
