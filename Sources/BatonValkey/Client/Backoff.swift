// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The pauses between attempts to connect: doubling from 50 ms to a bound, half of each left to chance.
struct Backoff {
    private static let first = Duration.milliseconds(50)
    private let longest: Duration
    private var next = Backoff.first

    init(longest: Duration) { self.longest = max(longest, .milliseconds(1)) }

    /// The pause before the next attempt; `chance` is from 0 to 1.
    mutating func pause(chance: Double) -> Duration {
        let pause = min(next, longest)
        next = min(next * 2, longest)
        return pause * (0.5 + chance / 2)
    }

    /// After a success.
    mutating func reset() { next = Backoff.first }
}
