// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The only source of chance in a simulated world: xoshiro256++, seeded through splitmix64.
///
/// Streams of one seed have nothing in common, so that what one part of the world draws does not move another's luck.
package struct Chance: RandomNumberGenerator, Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    package init(seed: UInt64, stream: UInt64) {
        var mixer = seed &+ stream &* 0xD134_2543_DE82_EF95
        func word() -> UInt64 {
            mixer &+= 0x9E37_79B9_7F4A_7C15
            var word = mixer
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
        state = (word(), word(), word(), word())
    }

    package mutating func next() -> UInt64 {
        func rotated(_ word: UInt64, _ by: UInt64) -> UInt64 { (word << by) | (word >> (64 - by)) }
        let result = rotated(state.0 &+ state.3, 23) &+ state.0
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotated(state.3, 45)
        return result
    }

    /// 0 ..< bound.
    package mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

    /// From `low` to `high`, both included.
    package mutating func between(_ low: Int64, _ high: Int64) -> Int64 {
        high <= low ? low : low + Int64(next().multipliedFullWidth(by: UInt64(high - low + 1)).high)
    }

    /// True so often in a thousand.
    package mutating func happens(_ permille: Int) -> Bool { permille > 0 && below(1000) < permille }

    /// 0 ..< 1.
    package mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    package mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }
}
