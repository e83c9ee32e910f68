// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// Announcements that are lost, and subscriptions that break: who waits for a lock gets it all the same, in time.
@Suite(.timeLimit(.minutes(2)))
struct WireWaitingTests {
    /// The second connection is made for the subscription; its greeting begins with CLIENT.
    @Test(arguments: ["CLIENT", "SUBSCRIBE"])
    func aWaiterNeedsNoSubscription(command: String) async throws {
        try await WireCell.withTaughtServer { server in
            let title = { @Sendable (column: WireCase) in "\(command), \(column.name)" }
            await WireCell.each(WireCase.all) { number, column in
                try await WireCell.with(title(column), server, number: number, { $0.connectTimeout = .seconds(1) }) {
                    cell in try await Self.wait(cell, WireStep(command: command), column)
                }
            } title: {
                title($0)
            }
        }
    }

    private static func wait(_ cell: WireCell, _ step: WireStep, _ column: WireCase) async throws {
        try cell.hold("other", for: .seconds(600))
        column.isLasting ? cell.proxy.strikeAlways(step, column.fault) : cell.proxy.strike(step, column.fault)
        let lock = try Lock(cell.store, name: cell.lock, timeout: .seconds(30), sleep: .milliseconds(100))
        async let acquired = lock.acquire()
        try await cell.proxy.struck()
        // Somebody who says nothing to anybody.
        try cell.server.ask("DEL", cell.lock)
        let start = ContinuousClock.now
        #expect(try await acquired, "\(cell.title)")
        #expect(.now - start < lock.sleep + WireCell.margin, "\(cell.title): it took \(.now - start)")
        try await cell.givesBack(lock)

        // The store hears of releases again.
        cell.proxy.calm()
        cell.proxy.deliver()
        try cell.hold("other", for: .seconds(600))
        async let announced = lock.acquire(sleep: .seconds(600))
        try await cell.subscribed()
        try cell.server.ask("DEL", cell.lock)
        try cell.server.ask("PUBLISH", cell.lock, "")
        #expect(try await announced)
        try await cell.givesBack(lock)
    }

    /// What befalls the announcement itself. A connection that ends with it is made again, and rings by itself.
    @Test func aWaiterNeedsNoAnnouncement() async throws {
        let columns = WireCase.all.filter(\.isOfReply)
        #expect(columns.count > 20)
        try await WireCell.withTaughtServer { server in
            await WireCell.each(columns) { number, column in
                try await WireCell.with("the announcement: \(column.name)", server, number: number) { cell in
                    let ends = if case .replyCut = column.fault { true } else { false }
                    let lock = try Lock(
                        cell.store, name: cell.lock, timeout: .seconds(30),
                        sleep: ends ? .seconds(600) : .milliseconds(200))
                    try cell.hold("other", for: .seconds(600))
                    async let acquired = lock.acquire()
                    try await cell.subscribed()
                    cell.proxy.strike(WireStep(command: "message"), column.fault)
                    try cell.server.ask("DEL", cell.lock)
                    try cell.server.ask("PUBLISH", cell.lock, "")
                    let start = ContinuousClock.now
                    #expect(try await acquired, "\(cell.title)")
                    #expect(.now - start < WireCell.margin, "\(cell.title): it took \(.now - start)")
                    try await cell.givesBack(lock)
                }
            } title: {
                "the announcement: \($0.name)"
            }
        }
    }

    @Test func aLostAnnouncementCostsNoMoreThanTheLocksTime() async throws {
        try await WireCell.withTaughtServer { server in
            try await WireCell.with("a lost announcement", server, number: 0) { cell in
                let lock = try Lock(cell.store, name: cell.lock, timeout: .seconds(30), sleep: .seconds(600))
                try cell.hold("other", for: .seconds(1))
                async let acquired = lock.acquire()
                try await cell.subscribed()
                cell.proxy.strike(WireStep(command: "message"), .replyLost)
                try cell.server.ask("DEL", cell.lock)
                try cell.server.ask("PUBLISH", cell.lock, "")
                let start = ContinuousClock.now
                #expect(try await acquired)
                #expect(.now - start < .seconds(1) + .milliseconds(20) + WireCell.margin)
                try await cell.givesBack(lock)
            }
        }
    }

    /// While nobody can reach the server the lock is released: the first who comes back asks, and gets it.
    @Test func aReleaseDuringAnOutageIsNoticedAfterIt() async throws {
        try await WireCell.withTaughtServer { server in
            try await WireCell.with("an outage", server, number: 0) { cell in
                let lock = try Lock(cell.store, name: cell.lock, timeout: .seconds(30), sleep: .seconds(600))
                try cell.hold("other", for: .seconds(600))
                async let acquired = lock.acquire()
                try await cell.subscribed()
                cell.proxy.refuse()
                try await eventually("nobody listens any more") {
                    try server.ask("PUBSUB", "NUMSUB", cell.lock).elements?.last == .integer(0)
                }
                try server.ask("DEL", cell.lock)
                try server.ask("PUBLISH", cell.lock, "")
                cell.proxy.calm()
                let start = ContinuousClock.now
                #expect(try await acquired)
                #expect(.now - start < WireCell.margin)
                try await cell.givesBack(lock)
            }
        }
    }

    /// Connections end again and again while many want the lock.
    @Test func ofManyEachGetsTheLockWhileConnectionsBreak() async throws {
        let inside = Shared((now: 0, most: 0, times: 0))
        try await WireCell.withTaughtServer { server in
            try await WireCell.with("broken connections", server, number: 0) { cell in
                let breaking = Task { [proxy = cell.proxy] in  // cancelled, and awaited, below
                    while !Task.isCancelled {
                        proxy.cut(Bool.random() ? .fin : .rst)
                        try? await Task.sleep(for: .milliseconds(.random(in: 2...40)))
                    }
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            let lock = try Lock(cell.store, name: cell.lock)
                            for _ in 0..<4 {
                                try await cell.insists { try await lock.acquire() }
                                inside.change { $0 = ($0.now + 1, max($0.most, $0.now + 1), $0.times + 1) }
                                await Task.yield()
                                inside.change { $0.now -= 1 }
                                try await cell.givesBack(lock)
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                breaking.cancel()
                await breaking.value
                #expect(try cell.holder == nil)
            }
        }
        #expect(inside.current.most == 1)
        #expect(inside.current.times == 32)
    }
}

extension WireCase {
    /// Something that can befall a message that nobody asked for.
    fileprivate var isOfReply: Bool {
        switch fault {
        case .replyLate, .replyHeld, .replyLost, .replyCut, .replyHalved, .replyReplaced, .replyEndless: true
        case .requestLate, .requestHeld, .requestLost, .requestCut, .answered: false
        }
    }
}
