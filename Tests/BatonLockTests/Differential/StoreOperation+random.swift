// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

@testable import BatonTestSupport

extension StoreOperation {
    /// How fast time passes where a sequence runs.
    enum Pace: Sendable {
        /// For real: what is to end within a test lasts milliseconds, what is not lasts long.
        case real
        /// At the test's will.
        case settable
    }

    /// A sequence that a seed repeats. Few tokens and locks, so that they meet.
    static func sequence(seed: UInt64, length: Int, pace: Pace) -> [StoreOperation] {
        var random = SplitMix(seed: seed)
        return (0..<length).map { _ in StoreOperation.random(&random, pace) }
    }

    private static func random(_ random: inout SplitMix, _ pace: Pace) -> StoreOperation {
        let place = random.chance(70) ? Place.report : random.pick(.backup, .library)
        if random.chance(20) { return ledgerStep(&random, place) }
        switch Int.random(in: 0..<100, using: &random) {
        case ..<36: return .acquire(acquire(&random, place, pace))
        case ..<60: return .renew(renew(&random, place, pace))
        case ..<72:
            let mark = random.chance(40) ? mark(&random, pace) : nil
            return .release(
                Release(
                    place: place, token: token(&random, holder: 50), mark: mark, isGuarded: random.chance(70),
                    outcome: random.chance(50) ? outcome(&random) : nil))
        case ..<78: return .look(place)
        case ..<80: return .restoreMark(mark(&random, pace), place)
        case ..<84: return .setMark(random.chance(40) ? nil : mark(&random, pace), place)
        case ..<87: return .pass(pace == .real ? .milliseconds(random.pick(1, 5, 20)) : length(&random, pace))
        case ..<92: return .passNextEnd
        case ..<97: return .deleteLock(place)
        case ..<98: return .forgetEverything
        default: return .restart
        }
    }

    private static func acquire(_ random: inout SplitMix, _ place: Place, _ pace: Pace) -> Acquire {
        var step = Acquire(place: place, token: token(&random, holder: 15), timeout: length(&random, pace))
        // What the seed sends, now and then.
        if random.chance(15) { return random.chance(20) ? step.with(\.timeout, nil) : step }
        step.isFresh = random.chance(60)
        if random.chance(70) {
            step.guarding = Guarding(
                nonce: random.pick(.newest, .newest, .newest, .nothing, .older, .wrong),
                claim: random.pick(.newest, .nothing, .nothing, .older, .wrong), isMisfit: random.chance(3))
        } else if random.chance(10) {
            step.timeout = nil
        }
        if random.chance(60) { step.fence = fence(&random) }
        if random.chance(60) { step.holder = random.pick("here", "there") }
        step.heedsMarks = random.chance(60)
        step.notAfter = notAfter(&random)
        if random.chance(60) {
            step.claim = claim(&random)
            step.isFresh = true
            step.fence = step.fence ?? .unknown
        }
        return step
    }

    private static func renew(_ random: inout SplitMix, _ place: Place, _ pace: Pace) -> Renew {
        let change: RenewRequest.Change =
            switch Int.random(in: 0..<10, using: &random) {
            case ..<6: .reset(length(&random, pace))
            case 6: .reset(.seconds(31))
            case 7: .add(.seconds(-10))
            default: .add(.seconds(random.pick(1, 5, 15)))
            }
        var step = Renew(place: place, token: token(&random, holder: 65), change: change)
        step.isGuarded = random.chance(75)
        step.notAfter = notAfter(&random)
        if random.chance(20) { step.successor = token(&random, holder: 0) }
        if random.chance(50) { step.fence = fence(&random) }
        if random.chance(60) { step.holder = random.pick("here", "there") }
        if random.chance(40) { step.ledger = run(&random) }
        return step
    }

    /// - Parameter holder: how often in a hundred the one who holds the lock asks.
    private static func token(_ random: inout SplitMix, holder: Int) -> String {
        random.chance(holder) ? Self.holder : random.pick("a", "b", "c")
    }

    private static func length(_ random: inout SplitMix, _ pace: Pace) -> Duration {
        switch pace {
        case .real: random.chance(30) ? .milliseconds(random.pick(20, 30, 40)) : .seconds(random.pick(10, 20, 30))
        case .settable:
            random.chance(20) ? .microseconds(random.pick(1_000, 1_001)) : .seconds(random.pick(5, 10, 20, 30))
        }
    }

    static func fence(_ random: inout SplitMix) -> Fence {
        random.pick(.unknown, .last, .last, .ahead(.seconds(random.pick(-100, 100, 10_000))))
    }

    private static func notAfter(_ random: inout SplitMix) -> Duration? {
        random.pick(nil, .seconds(20), .seconds(20), .seconds(5), .zero - .seconds(1))
    }

    private static func mark(_ random: inout SplitMix, _ pace: Pace) -> Mark {
        Mark(
            kind: random.pick(.heldDown, .paused, .finished, .runEnded, .coolingDown, .coolingDown),
            remaining: random.chance(70) ? random.pick(length(&random, pace), .zero) : nil,
            failures: random.pick(0, 1, 7), by: random.pick("", "web-1"))
    }
}
