// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonSimulation
import Glibc

/// What is asked for on the command line.
struct Options {
    static let usage = """
        baton-simulate [--seed N] [--hours H] [--seconds S] [--history] [--no-shrink]

          --seed N      the first world's seed, the next one's being one more; without it, any
          --hours H     simulated hours of fleets
          --seconds S   how much processor time it may take; without --hours and --seconds, it is one world
          --history     print what happens in the world of --seed, and nothing else
          --no-shrink   leave a world that goes wrong as it is

        The exit code is 1 when a world went wrong.
        """

    struct Problem: Error {
        let text: String
    }

    private var seed: UInt64?
    private var campaign = Campaign()
    private var wantsHistory = false
    private var shrinks = true

    init(_ arguments: some Sequence<String>) throws(Problem) {
        var rest = Array(arguments)
        while !rest.isEmpty {
            let option = rest.removeFirst()
            switch option {
            case "--seed": seed = try Self.value(of: option, &rest)
            case "--hours": campaign.hours = try Self.value(of: option, &rest) as Double
            case "--seconds": campaign.seconds = try Self.value(of: option, &rest) as Double
            case "--history": wantsHistory = true
            case "--no-shrink": shrinks = false
            case _: throw Problem(text: "unknown option \(option)")
            }
        }
        if wantsHistory, seed == nil { throw Problem(text: "--history wants --seed") }
    }

    private static func value<Value: LosslessStringConvertible>(
        of option: String, _ rest: inout [String]
    ) throws(Problem) -> Value {
        guard let text = rest.first, let value = Value(text) else { throw Problem(text: "\(option) wants a number") }
        rest.removeFirst()
        return value
    }

    /// False when a world went wrong.
    func run() -> Bool {
        if wantsHistory, let seed { return printHistory(of: seed) }
        var campaign = campaign
        campaign.firstSeed = seed ?? .random(in: 0..<1_000_000_000_000)
        print("the first seed is \(campaign.firstSeed)")
        let failure = campaign.run(clock: Self.clock)
        print(campaign.report)
        guard let failure else { return true }
        print(failure.text(shrinking: shrinks, lines: 100_000))
        return false
    }

    private func printHistory(of seed: UInt64) -> Bool {
        let verdict = Scenario(seed: seed).run(recording: true)
        for line in verdict.history { print(line) }
        return verdict.failure == nil
    }

    private static func clock() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
