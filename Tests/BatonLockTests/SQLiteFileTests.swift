// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import Glibc
import Testing

@Suite struct SQLiteFileTests {
    @Test func theFileIsForItsOwnerOnly() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        _ = try await store.lookAround()
        for name in ["baton.db", "baton.db-wal", "baton.db-shm"] {
            var found = stat()
            #expect(stat("\(bench.folder)/\(name)", &found) == 0)
            #expect(found.st_mode & 0o777 == 0o600, "\(name)")
        }
    }

    @Test func aFileThatIsDeletedUnderAStoreIsUnsettled() async throws {
        let bench = SQLiteBench()
        let (one, two) = (bench.store(), bench.store())
        try await one.settleNow()
        _ = try await one.acquire(.guarded("a"))
        #expect(try await two.acquire(.guarded("b")).sighting != nil)
        unlink(bench.path)
        guard case .unsettled(let nonce, let wait) = try await two.acquire(.guarded("b")) else {
            Issue.record("a lock was granted in a file that knows nothing")
            return
        }
        #expect(wait == .seconds(30))
        // The holder puts its lock back, which ends nobody's wait; after the wait it is held.
        let renewal = RenewRequest.guarded("a", notAfter: bench.microseconds)
        #expect(try await one.renew(renewal) == .renewed(timeToLive: .seconds(15)))
        #expect(try await two.acquire(.guarded("b")) == .unsettled(nonce: nonce, wait: .seconds(30)))
        #expect(try await two.acquire(.guarded("b", nonce: nonce)).sighting != nil)
        #expect(try await one.renew(.guarded("a")) == .renewed(timeToLive: .seconds(15)))
    }

    @Test func inAnUnsettledFileARefusalIsNotALoss() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        _ = try await store.acquire(.guarded("a"))
        unlink(bench.path)
        #expect(try await store.renew(.guarded("a", notAfter: bench.microseconds - 1)) == .unsettled)
        #expect(try await store.renew(.guarded("a")) == .unsettled)
        var renewal = RenewRequest.guarded("a", notAfter: bench.microseconds)
        renewal.fence = 42
        renewal.holder = Bytes("me".utf8)
        #expect(try await store.renew(renewal) == .renewed(timeToLive: .seconds(15)))
        let view = try await store.lookAround()
        #expect(view.fence == 42)
        #expect(view.holder == Bytes("me".utf8))
        #expect(view.holderToken == Bytes("a".utf8))
        #expect(try await store.renew(.guarded("other")) == .unsettled)
    }

    @Test func aRestoredCopyIsUnsettledForAllEvenForOnesThatStartLater() async throws {
        let bench = SQLiteBench()
        let open = bench.store()
        try await open.settleNow()
        try await bench.replaceByCopy { copy in
            try await bench.edit(copy)
            _ = try await open.acquire(.guarded("a"))
        }
        // A process that knows nothing of the old file finds the record of another one in it.
        let fresh = bench.store()
        guard case .unsettled(let nonce, _) = try await fresh.acquire(.guarded("b")) else {
            Issue.record("a restored copy granted a lock")
            return
        }
        #expect(try await open.acquire(.guarded("c")) == .unsettled(nonce: nonce, wait: .seconds(30)))
    }

    @Test func aFileThatOthersTakeForSettledIsNotSoForAStoreThatLostItsOwn() async throws {
        let bench = SQLiteBench()
        let open = bench.store()
        try await open.settleNow()
        unlink(bench.path)
        try await bench.store().settleNow()
        guard case .unsettled = try await open.acquire(.guarded("a")) else {
            Issue.record("a replaced file granted a lock")
            return
        }
    }

    @Test func aFileThatIsNoDatabaseIsRefusedAndLeftAlone() async throws {
        let bench = SQLiteBench()
        let garbage = String(repeating: "this is no database. ", count: 500)
        bench.write(garbage)
        let store = bench.store()
        let error = await #expect(throws: LockError.self) { _ = try await store.acquire(.library("a")) }
        #expect(error?.code == .refused)
        #expect(error?.message == "\(bench.path) is not an SQLite database")
        #expect(store.state == .unreachable("\(bench.path) is not an SQLite database"))
        #expect(bench.read() == garbage)
    }

    @Test func theDatabaseOfAnotherProgramIsRefused() async throws {
        let bench = SQLiteBench()
        try await bench.edit("CREATE TABLE theirs (x)")
        let error = await #expect(throws: LockError.self) { _ = try await bench.store().acquire(.library("a")) }
        #expect(error?.message == "\(bench.path) is the SQLite database of another program, not Baton's")
    }

    @Test func theFormatOfALaterBatonIsRefused() async throws {
        let bench = SQLiteBench()
        _ = try await bench.store().lookAround()
        try await bench.edit("PRAGMA user_version = 7")
        let error = await #expect(throws: LockError.self) { _ = try await bench.store().acquire(.library("a")) }
        #expect(error?.message == "\(bench.path) has format 7; this version of Baton knows format 5")
    }

    @Test func theFormatBeforeIsBroughtUpToDateAndNobodyLosesALease() async throws {
        let bench = SQLiteBench()
        let before = bench.store()
        try await before.settleNow()
        let cooling = Mark(kind: .coolingDown, remaining: .seconds(1), failures: 3)
        try await before.setMark(cooling, on: sqliteKeys, timeout: .seconds(5))
        bench.advance(.seconds(1))
        let grant = try await before.acquire(.guarded("a"))
        await before.close()
        for statement in [
            "ALTER TABLE lock ADD COLUMN failures INTEGER NOT NULL DEFAULT 0", "UPDATE lock SET failures = 3",
            "ALTER TABLE lock DROP COLUMN lease_ends", "ALTER TABLE holder DROP COLUMN failures",
            "DROP TABLE node", "DROP TABLE ledger", "DROP TABLE history",
            "ALTER TABLE mark DROP COLUMN wall_until", "PRAGMA user_version = 1",
        ] {
            try await bench.edit(statement)
        }

        let after = bench.store()
        #expect(try await after.acquire(.guarded("a")) == grant)
        #expect(try await after.acquire(.guarded("b")).sighting?.timeout == .seconds(15))
        #expect(try await after.renew(.guarded("a")) == .renewed(timeToLive: .seconds(15)))
        try await bench.edit("UPDATE lock SET token = x''")
        #expect(try await after.acquire(.guarded("b")).isGranted == false)
        bench.advance(.seconds(15))
        #expect(try await after.acquire(.guarded("b")).isGranted)
    }

    @Test func theFormatWithoutNodesIsBroughtUpToDate() async throws {
        let bench = SQLiteBench()
        let before = bench.store()
        try await before.settleNow()
        #expect(try await before.acquire(.guarded("a")).isGranted)
        await before.close()
        for statement in [
            "DROP TABLE node", "DROP TABLE ledger", "DROP TABLE history",
            "ALTER TABLE mark DROP COLUMN wall_until", "PRAGMA user_version = 2",
        ] { try await bench.edit(statement) }
        let after = bench.store()
        #expect(try await after.renew(.guarded("a")) == .renewed(timeToLive: .seconds(15)))
        let request = RegisterRequest(
            keys: NodeKeys(prefix: "baton", name: "web-1"), instance: "a", record: [1], timeToLive: .seconds(15))
        #expect(try await after.register(request, timeout: .seconds(5)) == .registered)
    }

    @Test func missingAndForbiddenFoldersAreNamed() async throws {
        let none = SQLiteStore(path: "/nonexistent/folder/baton.db", maxLockTimeout: .seconds(30))
        let missing = await #expect(throws: LockError.self) { _ = try await none.acquire(.library("a")) }
        #expect(missing?.code == .unreachable)
        #expect(
            missing?.message
                == "/nonexistent/folder/baton.db: the folder /nonexistent/folder: No such file or directory")
        // Where even root may create nothing.
        let proc = SQLiteStore(path: "/proc/baton.db", maxLockTimeout: .seconds(30))
        let forbidden = await #expect(throws: LockError.self) { _ = try await proc.acquire(.library("a")) }
        #expect(forbidden?.message.hasPrefix("/proc/baton.db") == true)
        let bench = SQLiteBench()
        let folder = SQLiteStore(path: bench.folder, maxLockTimeout: .seconds(30))
        let directory = await #expect(throws: LockError.self) { _ = try await folder.acquire(.library("a")) }
        #expect(directory?.message == "\(bench.folder) is a folder, not a file")
        unlink(bench.folder + ".announce")
    }

    @Test func aClosedStoreSaysSo() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        _ = try await store.lookAround()
        await store.close()
        let error = await #expect(throws: LockError.self) { _ = try await store.lookAround() }
        #expect(error?.code == .closed)
    }

    @Test func aFileLockedByAnotherProcessTimesOutInTime() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        _ = try await store.lookAround()
        let clock = ContinuousClock()
        try await bench.holdingTheWriteLock {
            let start = clock.now
            let error = await #expect(throws: LockError.self) {
                _ = try await store.acquire(.library("a"), timeout: .milliseconds(200))
            }
            #expect(error?.code == .unreachable)
            #expect(error?.message == "\(bench.path): locked by another process for too long")
            #expect(clock.now - start < .seconds(2))
            // A look does not wait for a writer.
            let view = try await store.look(at: sqliteKeys, timeout: .milliseconds(200))
            #expect(view.token == nil)
        }
        #expect(try await store.acquire(.library("a")).isGranted)
    }
}
