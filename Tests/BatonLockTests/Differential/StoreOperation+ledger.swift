// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

@testable import BatonTestSupport

/// Steps about ledgers (rule S8). What they say of a ledger is relative to the one that is there when they are asked.
extension StoreOperation {
    /// Which entry a decision was made on.
    enum Seen: String, Sendable {
        case nothing, present, stale
    }

    struct Claim: Sendable, Equatable {
        var expected = Seen.present
        /// From the position.
        var tick: Int64 = 1
        /// 1, or so many after the present one.
        var attemptAfter: Int?
        var manual = Wish.none
        /// From the position; nil: none is known.
        var floor: Int64?
        var info = "x"
        var lines = 0
    }

    /// Which of an operator's wishes a claim is for.
    enum Wish: String, Sendable {
        case none, asked, wrong, last
    }

    /// Which run is told of.
    enum Run: String, Sendable {
        case present, older, ahead, neverBegan, neverBeganByAnother
    }

    struct Outcome: Sendable, Equatable {
        var run: Run
        var outcome: String
        var line: String?
    }

    struct Settle: Sendable, Equatable {
        var place: Place
        var isGuarded = true
        var floor: Int64?
        var fence = Fence.unknown
        var expected = Seen.present
        var tick: Int64?
        var lines = 0
    }

    // MARK: Drawn

    static func ledgerStep(_ random: inout SplitMix, _ place: Place) -> StoreOperation {
        switch Int.random(in: 0..<20, using: &random) {
        case ..<8:
            return .settle(
                Settle(
                    place: place, isGuarded: random.chance(80), floor: floor(&random),
                    fence: random.chance(20) ? fence(&random) : .unknown, expected: seen(&random),
                    tick: random.chance(70) ? tick(&random) : nil, lines: random.pick(1, 3, 0)))
        case ..<10: return .ask(place, call: random.pick("p", "q"))
        case ..<12: return .lookAtLedger(place)
        case ..<16: return .history(place, limit: random.pick(1, 5, 200))
        case 16: return .deleteLedger(place)
        default: return .movePosition(place, random.pick(-100, -50, -50, 0, 50))
        }
    }

    static func claim(_ random: inout SplitMix) -> Claim {
        var claim = Claim(expected: seen(&random), tick: tick(&random), floor: floor(&random))
        claim.info = random.pick("x", "y")
        claim.lines = random.pick(0, 1, 2)
        switch Int.random(in: 0..<10, using: &random) {
        case ..<4: break
        case ..<7:
            claim.tick = 0
            claim.attemptAfter = random.pick(1, 1, 1, 0, 2)
            claim.manual = random.pick(.none, .last, .last)
        default:
            claim.tick = random.pick(0, 0, 0, 1)
            claim.manual = random.pick(.asked, .asked, .asked, .wrong, .last)
        }
        return claim
    }

    static func outcome(_ random: inout SplitMix) -> Outcome {
        Outcome(
            run: run(&random), outcome: random.pick("ok", "failed"),
            line: random.pick(nil, "ended 1", "ended 2"))
    }

    static func run(_ random: inout SplitMix) -> Run {
        random.pick(.present, .present, .present, .older, .ahead, .neverBegan, .neverBeganByAnother)
    }

    private static func seen(_ random: inout SplitMix) -> Seen {
        random.chance(80) ? .present : random.pick(.nothing, .stale)
    }
    private static func tick(_ random: inout SplitMix) -> Int64 { random.pick(1, 1, 2, 5, 0, -1, 200, 100_000) }
    private static func floor(_ random: inout SplitMix) -> Int64? { random.pick(nil, nil, nil, -1, 0, 1, 3) }
}

extension StoreOperation.Claim: Changeable {}
extension StoreOperation.Outcome: Changeable {}
extension StoreOperation.Settle: Changeable {}

/// What they mean when they are asked.
extension RequestContext {
    private func view(_ keys: LockKeys) -> LedgerView {
        model.look(at: keys, withLedger: true, at: now).ledger ?? LedgerView()
    }

    private func position(_ keys: LockKeys) -> Int64 { view(keys).entry?.tick ?? wall / 1_000_000 }

    private func floor(_ distance: Int64?, _ keys: LockKeys) -> Int64 { distance.map { position(keys) + $0 } ?? 0 }

    private func lines(_ count: Int) -> [Bytes] { (0..<count).map { bytes("line \($0) at \(now)") } }

    private func key(_ seen: StoreOperation.Seen, _ keys: LockKeys) -> LedgerEntry.Key? {
        guard var key = view(keys).entry?.key else { return nil }
        switch seen {
        case .nothing: return nil
        case .present: return key
        case .stale:
            key.hasOutcome.toggle()
            return key
        }
    }

    func claim(_ step: StoreOperation.Claim, _ keys: LockKeys) -> LedgerClaim {
        let view = view(keys)
        let manual: Int64? =
            switch step.manual {
            case .none: nil
            case .asked: view.asked?.id ?? 1
            case .wrong: (view.asked?.id ?? 0) + 1
            case .last: view.entry?.manual
            }
        return LedgerClaim(
            expected: key(step.expected, keys), tick: max(0, position(keys) + step.tick),
            attempt: max(1, step.attemptAfter.map { (view.entry?.attempt ?? 0) + $0 } ?? 1), manual: manual,
            floor: floor(step.floor, keys), info: bytes(step.info), lines: lines(step.lines))
    }

    func run(_ run: StoreOperation.Run, _ keys: LockKeys) -> LedgerEntry {
        var entry =
            view(keys).entry ?? LedgerEntry(tick: position(keys), attempt: 1, fence: 0, changed: wall, info: bytes("x"))
        // None was granted yet.
        if entry.fence == 0 { entry.fence = 1000 }
        switch run {
        case .present: break
        case .older: entry.fence -= 1
        case .ahead:
            entry.tick += 3
            entry.fence += 7
            entry.attempt = 2
        case .neverBegan: entry.fence = 0
        case .neverBeganByAnother:
            entry.fence = 0
            entry.info = bytes("z")
        }
        return entry
    }

    func record(_ step: StoreOperation.Outcome, _ keys: LockKeys) -> RunRecord {
        RunRecord(run: run(step.run, keys), outcome: bytes(step.outcome), line: step.line.map { bytes($0) })
    }

    func request(_ step: StoreOperation.Settle) -> SettleRequest {
        let keys = step.place.keys
        return SettleRequest(
            keys: keys, guarding: step.isGuarded ? .init(maxLockTimeout: limit) : nil, floor: floor(step.floor, keys),
            fence: value(of: step.fence, keys), expected: key(step.expected, keys),
            tick: step.tick.map { max(0, position(keys) + $0) },
            lines: lines(step.lines))
    }
}
