// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonValkey
import Testing

@testable import BatonTestSupport

/// Answers in the right form, with numbers that no server has: nothing overflows, and nothing is believed for ever.
@Suite(.timeLimit(.minutes(2)))
struct WireNonsenseTests {
    static let numbers = [Int64.min, -1, 0, Int64.max].map(String.init) + ["99999999999999999999", "x"]
    static let words = [
        "granted", "held", "orphaned", "unsettled", "marked", "late", "misfit", "blind", "renewed", "lost", "nothing",
        "excess", "released", "foreign", "seen", "done", "ledger", "asked", "lines",
    ]

    private static let stores = 48

    /// An array of bulk strings.
    private static func array(_ parts: [String]) -> [UInt8] {
        Array(("*\(parts.count)\r\n" + parts.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()).utf8)
    }

    /// Every word with every number, as the time and as what follows it.
    static let answers = words.flatMap { word in
        numbers.flatMap { number in
            [
                [word, "1795421655000000"] + [number, "a:5:b", number, "down", number, number, number, number],
                [word, "1795421655000000"] + ["down", number, number, "down", number, number, number, number],
                [word, number] + [String](repeating: "5", count: 8),
            ]
        }
    }

    @Test(arguments: [false, true])
    func numbersThatNoServerHasDoNoHarm(isGuarded: Bool) async throws {
        try await WireCell.withTaughtServer { server in
            // Each store meets all answers, one after the other, from a place of its own.
            await WireCell.each(Array(0..<Self.stores), atOnce: Self.stores) { number, _ in
                try await WireCell.with("store \(number)", server, number: number) { cell in
                    let step = WireStep(command: "EVALSHA")
                    let lock = try Lock(
                        cell.store, name: cell.lock, timeout: .milliseconds(600), sleep: .milliseconds(1),
                        guarded: isGuarded)
                    for (index, answer) in Self.answers.enumerated() where index % Self.stores == number {
                        cell.proxy.strike(step, .answered(Self.array(answer)))
                        cell.proxy.strike(step, .answered(Self.array(answer)))
                        let start = ContinuousClock.now
                        let calls: [() async throws -> Bool] = [
                            { try await lock.acquire(.atMost(.milliseconds(3))) }, { try await lock.locked() },
                            {
                                try await cell.store.setMark(nil, on: cell.keys, timeout: .seconds(1))
                                return true
                            },
                            { try await lock.reacquire() }, { try await lock.owned() },
                        ]
                        for call in calls.shuffled() { _ = try? await call() }  // any end will do that is one
                        try? await lock.release()
                        #expect(.now - start < .seconds(30) + WireCell.margin, "\(answer)")
                    }
                    cell.proxy.calm()
                    // What was told the waiter is not held against the server.
                    let plain = try Lock(cell.store, name: cell.lock, timeout: .seconds(20))
                    try await cell.insists { try await plain.acquire(.atMost(.seconds(10))) }
                    try await cell.givesBack(plain)
                    if !isGuarded {
                        try await cell.insists { try await lock.acquire(.atMost(.seconds(10))) }
                        try await cell.givesBack(lock)
                    }
                }
            } title: {
                "store \($0)"
            }
        }
    }
}
