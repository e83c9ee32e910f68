// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Foundation
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// What the articles say of stores.
@Suite(.timeLimit(.minutes(2)))
struct ArticleStoreTests {
    private static let inMemory = StoreBackend(name: "the article's store") { body in
        let store = MemoryStore()
        try await body(
            StoreUnderTest(
                store: store, forgetEverything: { throw TestFailure("it has no guard") },
                deleteLock: { keys in
                    guard let token = try await store.look(keys).token else { return }
                    let release = ReleaseRequest(keys: keys, token: token, guarding: false)
                    _ = try await store.release(release, timeout: patience)
                }, restart: { throw TestFailure("it has no guard") }))
    }

    /// As far as there is no guard, the cases of all stores hold for it.
    @Test func theArticlesStoreDoesWhatEveryStoreDoes() async throws {
        let cases = StoreConformance()
        try await cases.aLockIsGrantedOnce(backend: Self.inMemory)
        try await cases.aTokenOfTheCallersIsNotAcceptedTwice(backend: Self.inMemory)
        try await cases.aLockWithoutATimeoutHasNoTimeToLive(backend: Self.inMemory)
        try await cases.aLockRunsOut(backend: Self.inMemory)
        try await cases.extendingAddsToWhatIsLeft(backend: Self.inMemory)
        let store = MemoryStore()
        #expect(await code { _ = try await store.acquire(.daemon("a")) } == .refused)
        #expect(await code { try await store.setMark(nil, on: .report, timeout: patience) } == .refused)
        var late = AcquireRequest.plain("a")
        late.notAfter = try store.serverTime(in: -1)
        #expect(try await store.acquire(late) == .late)
    }

    @Test func locksWorkOverTheArticlesStore() async throws {
        let locks = LockTests()
        try await locks.aLockIsAcquiredAndReleased(backend: Self.inMemory)
        try await locks.aTokenOfTheCallersIsUsedVerbatim(backend: Self.inMemory)
        try await locks.onlyTheHolderOwns(backend: Self.inMemory)
        try await locks.extendingAndReacquiring(backend: Self.inMemory)
        try await locks.aLostLockIsNotReleased(backend: Self.inMemory)
        try await LockWaitingTests().aReleaseWakesAWaiter(backend: Self.inMemory)
        try await LockWaitingTests().ofManyTasksEachGetsTheLockAndNeverTwoAtOnce(backend: Self.inMemory)
        try await LockFaultTests().aLostAnswerIsAskedForAgainWithTheSameToken(backend: Self.inMemory)
    }

    /// The user that the page of the Valkey store shows may do all that a lock does, and is refused nothing.
    @Test func theUsersRightsAreEnough() async throws {
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Sources/BatonValkey/BatonValkey.docc/BatonValkey.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.contains("user reporter on >") })
        let rights = line.split(separator: " ").drop { $0 != "on" }.map { $0.hasPrefix(">") ? ">secret" : String($0) }
        try await withServer { server in
            let connection = try RawConnection(socket: server.socket)
            let user = (["ACL", "SETUSER", "reporter"] + rights).map { bytes($0) }
            #expect(try connection.ask(user) == .string(bytes("OK")))
            var configuration = server.tcp
            configuration.username = "reporter"
            configuration.password = "secret"
            try await withValkeyStore(configuration) { store in
                let wait = Duration.milliseconds(500)
                for lock in [
                    try Lock(store, name: report, timeout: wait, sleep: .seconds(60)),
                    try Lock(store, name: report, sleep: .seconds(60), fences: false),
                    try Lock(
                        store, name: report, timeout: wait, sleep: .seconds(60), guarded: true, maxLockTimeout: wait),
                ] {
                    let isLocked = try await lock.withLock { _ in try await lock.locked() }
                    #expect(isLocked)
                    #expect(try await lock.acquire(.no, token: "own"))
                    if lock.timeout != nil {
                        try await lock.extend(wait / 2, replaceTTL: true)
                        try await lock.reacquire()
                    }
                    #expect(try await lock.owned())
                    async let next = lock.acquire(.forever)
                    try await eventually("somebody waits") { store.waitingRoom.count > 0 }
                    try await eventually("it listens") {
                        try server.ask("PUBSUB", "NUMSUB", report).elements?.last == .integer(1)
                    }
                    try await lock.release()
                    #expect(try await next)
                    try await lock.release()
                }
            }
            #expect(try server.ask("ACL", "LOG") == .array([]), "something was refused")
        }
    }
}
