// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

@testable import BatonTestSupport

/// Which fault comes when, and where: a value that a seed repeats.
struct FaultPlan: Sendable {
    struct Fault: Sendable, CustomStringConvertible {
        var kind: FaultKind
        /// Since the beginning.
        var start: Duration
        var length: Duration
        /// The machine it happens to; faults of the server have none.
        var machine: Int?
        /// For what else has to be chosen: which process, which job, how much of it.
        var choice: Int

        /// What it happens to: one thing at a time each.
        var place: String { FaultPlan.place(of: kind, on: machine) }

        var description: String {
            "\(kind.rawValue)\(machine.map { " on machine \($0 + 1)" } ?? "") at \(start) for \(length)"
        }
    }

    private(set) var faults: [Fault] = []

    /// Faults for so long, one every `pace` on average, some of them together; at least so many.
    init(
        seed: UInt64, length: Duration, pace: Duration, atLeast minimum: Int, machines: Int, kinds: [FaultKind]
    ) {
        var chance = SplitMix(seed: seed)
        var deck: [FaultKind] = []
        var free: [String: Duration] = [:]
        var time = Duration.zero
        while time < length || faults.count < minimum {
            // Three in ten come together with the one before.
            if !chance.chance(30) {
                time += .milliseconds(Int.random(in: 0...Int(pace.milliseconds * 20 / 7), using: &chance))
            }
            // Every kind comes as often as any other, as far as there is room for it.
            if deck.isEmpty { deck = kinds.shuffled(using: &chance) }
            let machine = Int.random(in: 0..<machines, using: &chance)
            let fits = deck.lastIndex { (free[Self.place(of: $0, on: machine)] ?? .zero) <= time + pace }
            let kind = deck.remove(at: fits ?? deck.count - 1)
            let choice = Int.random(in: 0..<1_000_000, using: &chance)
            let hold = Duration.milliseconds(kind.length.map { Int.random(in: $0, using: &chance) } ?? 0)
            let place = Self.place(of: kind, on: machine)
            let start = max(time, free[place] ?? .zero)
            free[place] = start + hold + .milliseconds(kind.rest)
            faults.append(
                Fault(
                    kind: kind, start: start, length: hold, machine: kind.isElsewhere ? nil : machine, choice: choice))
        }
        faults.sort { $0.start < $1.start }
    }

    private static func place(of kind: FaultKind, on machine: Int?) -> String {
        kind.isElsewhere ? kind.place.rawValue : "\(kind.place.rawValue) \(machine ?? 0)"
    }
}

extension FaultKind {
    /// Whether it happens to no machine.
    var isElsewhere: Bool { place == .server || place == .job }
}
