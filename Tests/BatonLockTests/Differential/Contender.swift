// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import BatonSystem
import BatonValkey
import GRDB
import Glibc
import Synchronization

@testable import BatonTestSupport

/// A fresh store that a sequence is tried on beside the model, and what can be done to it from outside.
protocol Contender: Sendable {
    var store: any LockStore { get }
    /// Whose clock lets its locks run out.
    var clock: StoreModel.Clock { get }
    /// How far from the model's its answers about time may be, when nothing else takes time.
    var tolerance: Duration { get }

    /// The server's time in microseconds: not an estimate.
    func now() throws -> Int64
    /// Wall-clock microseconds when it is `now` by the server: the size of a fence.
    func wall(at now: Int64) -> Int64
    func pass(_ time: Duration) async throws

    func forgetEverything() async throws
    func deleteLock(_ keys: LockKeys) async throws
    func deleteLedger(_ keys: LockKeys) async throws
    func movePosition(_ keys: LockKeys, to tick: Int64) async throws
    /// Another identity with the same data.
    func restart() async throws
}

/// A server, asked on a connection of our own what its clock says.
struct ValkeyContender: Contender {
    let server: TestServer
    let store: any LockStore
    let clock = StoreModel.Clock.server
    /// It counts milliseconds, and reads its clock more than once in a request.
    let tolerance = Duration.milliseconds(2)

    func now() throws -> Int64 { try server.time() }
    func wall(at now: Int64) -> Int64 { now }
    func pass(_ time: Duration) async throws { try await Task.sleep(for: time) }

    func forgetEverything() throws { try server.ask("FLUSHALL") }
    func deleteLock(_ keys: LockKeys) throws { try server.ask("DEL", String(decoding: keys.lock, as: UTF8.self)) }
    func deleteLedger(_ keys: LockKeys) throws { try server.ask("DEL", String(decoding: keys.ledger, as: UTF8.self)) }
    func movePosition(_ keys: LockKeys, to tick: Int64) throws {
        try server.ask("HSET", String(decoding: keys.ledger, as: UTF8.self), "tick", "\(tick)")
    }
    func restart() throws { try server.becomeAnother() }
}

/// A file, with clocks of the test's own.
final class SQLiteContender: Contender {
    let store: any LockStore
    let clock = StoreModel.Clock.holders
    let tolerance = Duration.zero
    private let bench: SQLiteBench

    init(_ bench: SQLiteBench, _ store: SQLiteStore) {
        self.bench = bench
        self.store = store
    }

    func now() -> Int64 { bench.microseconds }
    func wall(at now: Int64) -> Int64 { bench.wallMicroseconds }
    func pass(_ time: Duration) {
        bench.advance(time)
        bench.setWall(bench.wallMicroseconds + time.microseconds)
    }

    func forgetEverything() throws { try edit(SQLiteBench.forgetting) }
    func deleteLock(_ keys: LockKeys) throws { try edit(SQLiteBench.deleting(keys)) }
    func deleteLedger(_ keys: LockKeys) throws { try edit(SQLiteBench.deletingLedger(keys)) }
    func movePosition(_ keys: LockKeys, to tick: Int64) throws { try edit(SQLiteBench.moving(keys, to: tick)) }

    func restart() async throws { try await bench.replaceByCopy { try edit($0) } }

    private func edit(_ sql: String) throws {
        let database = try DatabaseQueue(path: bench.path)
        try database.writeWithoutTransaction { try $0.execute(sql: sql) }
        try database.close()
    }
}

/// The model itself, or one with a fault, as the store.
final class ModelContender: Contender {
    let store: any LockStore
    let clock: StoreModel.Clock
    let tolerance = Duration.zero
    private let model: ModelStore
    private let time: SettableTime
    private let restarts = Counter()

    init(_ clock: StoreModel.Clock, _ wrapped: (ModelStore) -> any LockStore) {
        let time = SettableTime()
        self.time = time
        self.clock = clock
        model = ModelStore(clock) { time.now }
        store = wrapped(model)
    }

    func now() -> Int64 { time.now }
    func wall(at now: Int64) -> Int64 { now }
    func pass(_ duration: Duration) { time.advance(duration) }

    func forgetEverything() { model.change { $0.forgetEverything() } }
    func deleteLock(_ keys: LockKeys) { model.change { $0.forgetLock(keys) } }
    func deleteLedger(_ keys: LockKeys) { model.change { $0.forgetLedger(keys) } }
    func movePosition(_ keys: LockKeys, to tick: Int64) { model.change { $0.movePosition(keys, to: tick) } }
    func restart() { model.change { $0.restart(as: bytes("\(restarts.next())")) } }
}
