// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import GRDB
import Synchronization

/// The database file: opened when needed, opened again when it was replaced, used by one thread of its own.
///
/// Everything that touches it runs on `thread`, never on the threads of Swift's tasks, and no caller waits for it longer
/// than its own time limit.
final class DatabaseFile: Sendable {
    private enum Phase {
        /// `suspect`: the file was replaced while it was open, so the next one must be unsettled.
        case closed(suspect: Bool)
        case open(Connection)
        case shutDown
    }

    let path: String
    let surroundings: Surroundings
    private let announcements: Announcements
    let thread = DatabaseThread()
    private let phase = Mutex(Phase.closed(suspect: false))
    private let storeState = Mutex(StoreState.connecting)
    /// When the request that the thread is busy with must be over. SQLite's waiting for locks obeys it.
    private let limit = TimeLimit()

    init(path: String, surroundings: Surroundings, announcements: Announcements) {
        self.path = path
        self.surroundings = surroundings
        self.announcements = announcements
    }

    deinit { thread.stop() }

    /// How the last request went.
    var state: StoreState { storeState.withLock { $0 } }

    /// The clock of leases, in microseconds.
    func serverTime() -> Int64 { surroundings.now().nanoseconds / 1000 }

    /// Runs `body` in one transaction, which is rolled back when it throws or the time is over.
    func transact<Value: Sendable>(
        about keys: LockKeys?, timeout: Duration, _ access: Access,
        _ body: @escaping @Sendable (inout StoreTransaction) throws -> Value
    ) async throws(LockError) -> Value {
        let outcome: Result<Value, LockError> = await withCheckedContinuation { continuation in
            let attempt = Attempt(path: path, timeout: timeout) { end in
                var value: Value?
                let error = self.run(until: end, access) { value = try body(&$0) }
                let outcome: Result<Value, LockError> =
                    if let value, error == nil { .success(value) } else { .failure(error ?? self.nothingDone) }
                return { continuation.resume(returning: outcome) }
            } fail: { error in
                continuation.resume(returning: .failure(error))
            }
            thread.carryOut(attempt)
        }
        switch outcome {
        case .success(let value):
            storeState.withLock { $0 = .connected }
            return value
        case .failure(let error):
            storeState.withLock { $0 = .unreachable(error.message) }
            throw LockError(error.code, lock: keys?.name, error.message)
        }
    }

    /// Rings the bells of the locks that were announced since the last time.
    func readAnnouncements() {
        thread.run { [self] in
            guard announcements.hasListeners() else { return }
            guard case .open(let connection) = phase.withLock({ $0 }) else { return announcements.ringAll() }
            limit.set(BootClock.now() + .seconds(1))
            do {
                let last = announcements.lastSeen
                let changes = try connection.queue.writeWithoutTransaction { try Changes(since: last, in: $0) }
                announcements.ring(for: changes)
            } catch {
                announcements.ringAll()
            }
        }
    }

    /// Ends all use of the file.
    func close() async {
        await withCheckedContinuation { continuation in
            thread.run { [self] in
                if case .open(let connection) = phase.withLock({ $0 }) {
                    try? connection.queue.close()  // every commit has been made already
                }
                phase.withLock { $0 = .shutDown }
                announcements.stop()
                continuation.resume()
            }
        }
    }

    /// Not generic, as all that it calls: on a request's way that costs as much as its statements.
    private func run(
        until end: Instant, _ access: Access, _ body: (inout StoreTransaction) throws -> Void
    ) -> LockError? {
        limit.set(end)
        do {
            let connection = try connection()
            var announced = false
            try connection.transact(access) { database in
                // Read the clock only now: waiting for the file's lock took time.
                var transaction = StoreTransaction(
                    database: database, now: serverTime(), bootID: surroundings.bootID,
                    wallMicroseconds: surroundings.wallMicroseconds(), file: connection.identity)
                try body(&transaction)
                announced = transaction.announced
                if BootClock.now() >= end {
                    throw LockError(.unreachable, "\(path): the time limit passed before the commit")
                }
            }
            if announced { announcements.announce() }
            return nil
        } catch let error as LockError {
            return error
        } catch {
            return DatabaseFailure(path: path).lockError(from: error)
        }
    }

    private var nothingDone: LockError { LockError(.unreachable, "\(path): nothing was done") }

    /// The open connection, to the file that is at `path` now.
    private func connection() throws -> Connection {
        var suspect = false
        switch phase.withLock({ $0 }) {
        case .shutDown: throw LockError(.closed, "\(path): the store was closed")
        case .closed(let wasSuspect): suspect = wasSuspect
        case .open(let connection):
            if FileIdentity(path: path) == connection.identity { return connection }
            suspect = true
            phase.withLock { $0 = .closed(suspect: true) }
            try? connection.queue.close()  // what it still holds belongs to a file that no one else can open
        }
        let connection = try DatabaseOpening(path: path, identityIsSuspect: suspect).open(limit)
        phase.withLock { $0 = .open(connection) }
        if suspect { announcements.startOver() }
        announcements.watchAgain()
        return connection
    }
}
