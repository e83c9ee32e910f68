// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Dispatch
import GRDB
import Synchronization

/// The database file: opened when needed, opened again when it was replaced, used by one thread of its own.
///
/// SQLite blocks. Everything that touches it runs on `worker`, never on the threads of Swift's tasks, and no caller
/// waits for it longer than its own time limit.
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
    private let worker = DispatchQueue(label: "baton.sqlite")
    private let phase = Mutex(Phase.closed(suspect: false))
    private let storeState = Mutex(StoreState.connecting)
    /// When the request that the worker is busy with must be over. SQLite's waiting for locks obeys it.
    private let limit = TimeLimit()

    init(path: String, surroundings: Surroundings, announcements: Announcements) {
        self.path = path
        self.surroundings = surroundings
        self.announcements = announcements
    }

    /// How the last request went.
    var state: StoreState { storeState.withLock { $0 } }

    /// The clock of leases, in microseconds.
    func serverTime() -> Int64 { surroundings.now().nanoseconds / 1000 }

    /// Runs `body` in one transaction, which is rolled back when it throws or the time is over.
    func transact<Value: Sendable>(
        about keys: LockKeys, timeout: Duration, _ access: Access,
        _ body: @escaping @Sendable (inout StoreTransaction) throws -> Value
    ) async throws(LockError) -> Value {
        let deadline = BootClock.now() + timeout
        let outcome = await withCheckedContinuation { continuation in
            let attempt = Attempt<Value>(continuation)
            worker.async {
                if attempt.begin() { attempt.finish(self.run(until: deadline, access, body)) }
            }
            limit(attempt, to: timeout)
        }
        switch outcome {
        case .success(let value):
            storeState.withLock { $0 = .connected }
            return value
        case .failure(let error):
            storeState.withLock { $0 = .unreachable(error.message) }
            throw LockError(error.code, lock: keys.name, error.message)
        }
    }

    /// Rings the bells of the locks that were announced since the last time.
    func readAnnouncements() {
        worker.async { [self] in
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
            worker.async { [self] in
                if case .open(let connection) = phase.withLock({ $0 }) {
                    try? connection.queue.close()  // every commit has been made already
                }
                phase.withLock { $0 = .shutDown }
                announcements.stop()
                continuation.resume()
            }
        }
    }

    private func limit<Value: Sendable>(_ attempt: Attempt<Value>, to timeout: Duration) {
        // The worker keeps the limit by itself, unless the disk hangs. It gets an instant more, its error says more.
        let nanoseconds = min(timeout.nanoseconds, 86_400_000_000_000) + 10_000_000
        let path = path
        DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(Int(nanoseconds))) {
            attempt.giveUp(
                notBegun: LockError(.unreachable, "\(path): no turn within \(timeout); the disk may hang"),
                begun: LockError(.unknownOutcome, "\(path): no answer within \(timeout); the disk may hang"))
        }
    }

    private func run<Value: Sendable>(
        until end: Instant, _ access: Access, _ body: (inout StoreTransaction) throws -> Value
    ) -> Result<Value, LockError> {
        limit.set(end)
        do {
            let connection = try connection()
            var (value, announced) = (Value?.none, false)
            try connection.transact(access) { database in
                // Read the clock only now: waiting for the file's lock took time.
                var transaction = StoreTransaction(
                    database: database, now: serverTime(), bootID: surroundings.bootID,
                    wallMicroseconds: surroundings.wallMicroseconds(), file: connection.identity)
                value = try body(&transaction)
                announced = transaction.announced
                if BootClock.now() >= end {
                    throw LockError(.unreachable, "\(path): the time limit passed before the commit")
                }
            }
            if announced { announcements.announce() }
            guard let value else { return .failure(LockError(.unreachable, "\(path): nothing was done")) }
            return .success(value)
        } catch let error as LockError {
            return .failure(error)
        } catch {
            return .failure(DatabaseFailure(path: path).lockError(from: error))
        }
    }

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
