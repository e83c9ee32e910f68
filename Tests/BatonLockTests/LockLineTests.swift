// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// Many tasks of one process that wait for one lock.
@Suite(.timeLimit(.minutes(2)))
struct LockLineTests {
    @Test(arguments: StoreBackend.forLocks)
    func aThousandWaitingTasksAskAsOne(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            try await subject.store.overwrite(with: "other", timeout: .seconds(600))
            let sleep = Duration.milliseconds(50)
            let lock = try Lock(store, name: report, timeout: .seconds(600), sleep: sleep)
            let turns = Shared(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<1000 {
                    group.addTask { try await lock.withLock { _ in turns.change { $0 += 1 } } }
                }
                try await eventually("all of them wait") { store.waitingRoom.count == 1000 }
                let asked = store.calls(.acquire)
                let start = ContinuousClock.now
                try await eventually("they go on asking") { store.calls(.acquire) >= asked + 10 }
                // One of them asks, every `sleep` at the most; so ten more requests took ten of those.
                #expect(.now - start >= sleep * 8, "\(store.calls(.acquire) - asked) requests in \(.now - start)")
                #expect(turns.current == 0)
                #expect(try await subject.store.release("other", of: reportKeys, guarding: false))
                try await group.waitForAll()
            }
            #expect(turns.current == 1000)
            #expect(try await subject.store.token() == nil)
        }
    }

    @Test func aThousandWaitingTasksAreOneSubscriberOnOneConnection() async throws {
        try await withServer { server in
            try await withValkeyStore(server.tcp) { store in
                try server.ask("SET", report, "other")
                let lock = try Lock(store, name: report, sleep: .seconds(600))
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for _ in 0..<1000 { group.addTask { try await lock.acquire() } }
                    try await eventually("one listens") {
                        try server.ask("PUBSUB", "NUMSUB", report)
                            == .array([.string(bytes(report)), .integer(1)])
                    }
                    guard case .string(let text) = try server.ask("CLIENT", "LIST") else {
                        throw TestFailure("no list of clients")
                    }
                    let ours = String(decoding: text, as: UTF8.self).split(separator: "\n")
                        .filter { $0.contains(" name=baton ") }
                    #expect(ours.count == 2, "one for requests, one for announcements")
                    // Nobody announces this one: the one who waits longest for that must not keep the others.
                    group.cancelAll()
                    while let outcome = await group.nextResult() {
                        guard case .failure(let error) = outcome else { throw TestFailure("granted") }
                        #expect(error is CancellationError)
                    }
                }
                #expect(try server.ask("GET", report) == .string(bytes("other")))
            }
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aLineIsFirstComeFirstServedAndMayBeLeft(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            try await subject.store.overwrite(with: "other", timeout: .seconds(600))
            let lock = try Lock(store, name: report, timeout: .seconds(600))
            let room = store.waitingRoom
            let order = Shared<[Int]>([])
            var tasks: [Task<Void, any Error>] = []
            for number in 0..<6 {
                tasks.append(
                    Task {  // awaited below
                        // The fourth has not the time to wait for its turn.
                        let wait: Lock.Wait = number == 3 ? .atMost(.milliseconds(100)) : .forever
                        try await lock.withLock(wait) { _ in order.change { $0.append(number) } }
                    })
                try await eventually("it stands in line") { room.count == number + 1 }
            }
            #expect(await code { try await tasks[3].value } == .notAcquired)
            tasks[1].cancel()  // in the middle
            tasks[0].cancel()  // the first
            for number in [0, 1] { #expect(await isCancelled { try await tasks[number].value }) }
            #expect(room.count == 3)
            #expect(try await subject.store.release("other", of: reportKeys, guarding: false))
            for number in [2, 4, 5] { try await tasks[number].value }
            #expect(order.current == [2, 4, 5])
            #expect(room.count == 0)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func whoWaitsInLineHearsOfAStoreThatIsAway(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            try await subject.store.overwrite(with: "other", timeout: .seconds(600))
            let lock = try Lock(store, name: report, timeout: .seconds(600))
            async let first = lock.acquire(.forever)
            try await eventually("it waits") { store.waitingRoom.count == 1 }
            store.always(.acquire, .unreachable)
            #expect(await code { _ = try await lock.acquire(.atMost(.seconds(1))) } == .unreachable)
            // And of one that is there again.
            store.always(.acquire, .none)
            let asked = store.calls(.acquire)
            try await eventually("it answers") { store.calls(.acquire) > asked + 1 }
            #expect(try await lock.acquire(.atMost(.milliseconds(50))) == false)
            #expect(try await subject.store.release("other", of: reportKeys, guarding: false))
            #expect(try await first)
        }
    }

    /// The one that asks seldom must not keep the one that asks often from noticing what nobody announces.
    @Test(arguments: StoreBackend.forLocks)
    func aCallsOwnSleepCounts(backend: StoreBackend) async throws {
        try await backend.with { subject in
            try await subject.store.overwrite(with: "foreign", timeout: nil)
            let store = FaultyStore(subject.store)
            let lock = try Lock(store, name: report, sleep: .seconds(600))
            let seldom = Task { try await lock.acquire() }  // cancelled below
            // Once more when it listens to announcements: then it is its turn in ten minutes.
            try await eventually("it asked twice") { store.calls(.acquire) >= 2 }
            async let often = lock.acquire(sleep: .milliseconds(20), token: "mine")
            try await eventually("both were told to wait") { store.waitingRoom.informedLines == 2 }
            try await subject.store.releaseQuietly(subject)
            #expect(try await often)
            #expect(try await subject.store.token() == bytes("mine"))
            seldom.cancel()
            #expect(await isCancelled { _ = try await seldom.value })
            #expect(await code { _ = try await lock.acquire(sleep: .microseconds(1)) } == .invalidArgument)
        }
    }

    /// A server finds out late that keys have expired when it has many of them: a waiter must not depend on being told.
    @Test func aCrashedHoldersLockIsTakenOverOnTimeAmongManyExpiringKeys() async throws {
        try await withServer { server in
            try server.ask(
                "EVAL", "for i = 1, 50000 do redis.call('SET', 'k' .. i, '', 'PX', 60000 + i) end", "0")
            try await withValkeyStore(server.tcp) { store in
                let lock = try Lock(store, name: report, timeout: .seconds(20), sleep: .seconds(600))
                for _ in 0..<5 {
                    try server.ask("SET", report, "crashed", "PX", "300")
                    #expect(try await lock.acquire(.atMost(.seconds(10))), "long before anybody tells us")
                    try await lock.release()
                }
            }
        }
    }
}
