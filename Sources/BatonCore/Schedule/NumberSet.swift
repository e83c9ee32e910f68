// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Some of the numbers from 0 to 63: what a field of a cron expression allows.
struct NumberSet: Equatable, Sendable {
    /// Bit n is set when n is in the set.
    private(set) var bits: UInt64

    init(bits: UInt64 = 0) { self.bits = bits }

    init(_ numbers: some Sequence<Int>) {
        bits = numbers.reduce(0) { $0 | 1 << UInt64($1) }
    }

    func contains(_ number: Int) -> Bool { bits >> UInt64(number) & 1 == 1 }

    /// The smallest number of the set that is at least `number`.
    func first(from number: Int) -> Int? {
        let rest = bits >> UInt64(number)
        return rest == 0 ? nil : number + rest.trailingZeroBitCount
    }

    static func | (left: NumberSet, right: NumberSet) -> NumberSet { NumberSet(bits: left.bits | right.bits) }
    static func & (left: NumberSet, right: NumberSet) -> NumberSet { NumberSet(bits: left.bits & right.bits) }
}
