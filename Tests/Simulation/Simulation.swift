// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// What came of one world.
package struct Verdict: Sendable {
    /// What is wrong; nil: nothing.
    package var failure: String?
    package var figures: Figures
    /// Empty unless it was asked for.
    package var history: [String]
}

extension Scenario {
    /// Lives the world to its end, or to the first thing that is wrong.
    package func run(recording: Bool = false) -> Verdict {
        var world = World(self, recording: recording)
        world.begin()
        while !world.isOver, world.judge.verdict == nil, world.step() {
            if world.judge.figures.occurrences > 20_000_000 { world.judge.condemn("it never comes to rest") }
        }
        world.judge.figures.nanoseconds = world.now
        if let failure = world.judge.verdict { world.note(-1, "WRONG: \(failure)") }
        return Verdict(failure: world.judge.verdict, figures: world.judge.figures, history: world.history.lines)
    }
}
