// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import BatonSystem
import Glibc
import Synchronization
import Testing

/// Counts who is inside, and sees that fences grow.
private final class Turnstile: Sendable {
    private struct State {
        var inside = 0
        var mostInside = 0
        var entries = 0
        var fence: Int64 = 0
    }
    private let state = Mutex(State())

    var mostInside: Int { state.withLock { $0.mostInside } }
    var entries: Int { state.withLock { $0.entries } }

    func enter(_ fence: Int64) {
        state.withLock { state in
            state.inside += 1
            state.mostInside = max(state.mostInside, state.inside)
            state.entries += 1
            #expect(fence > state.fence)
            state.fence = fence
        }
    }

    func leave() { state.withLock { $0.inside -= 1 } }
}

@Suite struct SQLiteContentionTests {
    @Test func eightStoresNeverHoldTheLockAtOnce() async throws {
        let bench = SQLiteBench()
        let turnstile = Turnstile()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                let store = SQLiteStore(path: bench.path, maxLockTimeout: .seconds(30))
                group.addTask {
                    for round in 0..<20 {
                        let token = "store \(number) round \(round)"
                        var request = AcquireRequest.library(token)
                        request.fence = .init()
                        while true {
                            guard let fence = try await store.acquire(request).fence else {
                                try await Task.sleep(for: .milliseconds(1))
                                continue
                            }
                            turnstile.enter(fence)
                            break
                        }
                        await Task.yield()
                        turnstile.leave()
                        #expect(try await store.giveBack(token, guarding: false))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(turnstile.mostInside == 1)
        #expect(turnstile.entries == 160)
    }

    @Test func storesThatCreateTheFileAtTheSameTimeAllFindItTheirs() async throws {
        for _ in 0..<200 {
            let bench = SQLiteBench()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        let store = bench.store()
                        let view = try await store.lookAround()
                        #expect(view.token == nil)
                        await store.close()
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func aReleaseRingsTheWaitersOfItsLockInAnotherStore() async throws {
        let bench = SQLiteBench()
        let (one, two) = (bench.store(), bench.store())
        _ = try await one.acquire(.library("a"))
        let other = LockKeys(prefix: "baton", job: "other")
        try await two.withAnnouncements(of: sqliteKeys) { bell in
            try await two.withAnnouncements(of: other) { silent in
                #expect(try await two.acquire(.library("b")).sighting != nil)
                let start = BootClock.now()
                #expect(try await one.giveBack("a", guarding: false))
                await bell.wait(until: start + .seconds(60))
                #expect(BootClock.now() - start < .seconds(30))
                #expect(try await two.acquire(.library("b")).isGranted)
                // The other lock's bell did not ring.
                let before = BootClock.now()
                await silent.wait(until: before + .milliseconds(20))
                #expect(BootClock.now() - before >= .milliseconds(20))
                // A mark rings too.
                try await one.setMark(Mark(kind: .heldDown), on: other, timeout: .seconds(5))
                await silent.wait(until: before + .seconds(60))
                #expect(BootClock.now() - before < .seconds(30))
            }
        }
    }

    @Test func whoComesAfterChangesThatNobodyReadIsStillTold() async throws {
        let bench = SQLiteBench()
        let (one, two) = (bench.store(), bench.store())
        _ = try await two.lookAround()
        try await two.withAnnouncements(of: sqliteKeys) { _ in }
        // It watches on, with nobody to tell.
        for round in 0..<3 {
            _ = try await one.acquire(.library("\(round)"))
            #expect(try await one.giveBack("\(round)", guarding: false))
            try await Task.sleep(for: .milliseconds(5))  // so that some are seen one by one; it passes without
        }
        try await two.withAnnouncements(of: sqliteKeys) { bell in
            for round in 0..<3 {
                _ = try await one.acquire(.library("a"))
                await bell.wait(until: BootClock.now() + .milliseconds(20))  // what was left to ring
                let start = BootClock.now()
                #expect(try await one.giveBack("a", guarding: false))
                await bell.wait(until: start + .seconds(20))
                try #require(BootClock.now() - start < .seconds(20), "round \(round)")
            }
        }
    }

    @Test func aReplacedAnnouncementFileIsFound() async throws {
        let bench = SQLiteBench()
        let (one, two) = (bench.store(), bench.store())
        _ = try await one.acquire(.library("a"))
        try await two.withAnnouncements(of: sqliteKeys) { bell in
            for round in 0..<3 {
                #expect(try await one.giveBack("a", guarding: false))
                _ = try await one.acquire(.library("a"))
                unlink(bench.path + ".announce")
                // The watch rings for that, and is at the next file then.
                await bell.wait(until: BootClock.now() + .seconds(60))
                await bell.wait(until: BootClock.now() + .milliseconds(50))
                let start = BootClock.now()
                #expect(try await one.giveBack("a", guarding: false))
                await bell.wait(until: start + .seconds(20))
                try #require(BootClock.now() - start < .seconds(20), "round \(round)")
                _ = try await one.acquire(.library("a"))
            }
        }
    }

    @Test func aReplacedFileRingsEveryone() async throws {
        let bench = SQLiteBench()
        let (one, two) = (bench.store(), bench.store())
        _ = try await two.acquire(.library("a"))
        try await two.withAnnouncements(of: sqliteKeys) { bell in
            bench.deleteFiles()
            let start = BootClock.now()
            // The announcement's file went as well; the watch finds its successor.
            await bell.wait(until: start + .seconds(60))
            #expect(BootClock.now() - start < .seconds(30))
            _ = try await one.acquire(.library("b"))
            _ = try await two.lookAround()
            #expect(try await one.giveBack("b", guarding: false))
            let later = BootClock.now()
            await bell.wait(until: later + .seconds(60))
            #expect(BootClock.now() - later < .seconds(30))
        }
    }
}
