// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

public import BatonCore
public import BatonLock
import BatonSystem

/// Keeps locks in an SQLite file, for the processes of one machine. Nothing to install, no server.
///
/// **What it guarantees.** What every ``LockStore`` does, across processes: each request is one `BEGIN IMMEDIATE`
/// transaction. Time is the machine's own `CLOCK_BOOTTIME`, the clock that holders count their leases on, so a lease
/// that this store sees as over is over. Leases of an earlier boot are void (rule N9). A file that was deleted,
/// replaced or restored from a copy is unsettled: it grants nothing under the guard for `max_lock_timeout` (rule S3).
///
/// **What it does not.** It does not exclude other machines: a network file system is refused. A process that is
/// stopped (SIGSTOP) in the middle of a transaction keeps all others waiting until it goes on or ends; they time out,
/// and are granted nothing. Deleting only the `-wal` file of a database in use is beyond it.
public final class SQLiteStore: LockStore {
    /// The longest lease that this node's settings allow, as `init` was told; for those who make guarded requests (rule
    /// S4). The store itself goes by what each request says.
    public let maxLockTimeout: Duration
    /// Where this process's tasks wait for this store's locks.
    public let waitingRoom = WaitingRoom()
    let file: DatabaseFile
    private let announcements: Announcements

    /// A store in the file at `path`, which is opened, and created with mode 0600, by the first request.
    ///
    /// The folder is not created.
    ///
    /// - Parameters:
    ///   - path: of the database; `-wal`, `-shm` and `.announce` are put beside it.
    ///   - maxLockTimeout: what ``maxLockTimeout`` says.
    public convenience init(path: String, maxLockTimeout: Duration) {
        self.init(path: path, maxLockTimeout: maxLockTimeout, surroundings: .machine)
    }

    /// A store with clocks and a boot id of the caller's choice.
    package init(path: String, maxLockTimeout: Duration, surroundings: Surroundings) {
        self.maxLockTimeout = maxLockTimeout
        let announcements = Announcements(path: path + ".announce")
        self.announcements = announcements
        file = DatabaseFile(path: path, surroundings: surroundings, announcements: announcements)
    }

    /// How the way to the file stands, for people.
    package var state: StoreState { file.state }

    /// Closes the file. Requests that come later fail with ``LockError/Code/closed``.
    public func close() async {
        await file.close()
    }

    /// The file's own thread. A task that prefers it asks, and is answered, without a change of threads.
    ///
    /// The price: this thread blocks. Such a task, also where it does something else, waits while another request waits
    /// for the disk, or for another process that is writing; until that one's time limit at most. Then it goes on
    /// elsewhere. And what it does itself keeps all requests of this store waiting.
    public var executor: (any TaskExecutor)? { file.thread }

    /// One attempt, in one transaction, on the disk before the yes.
    ///
    /// - Parameters:
    ///   - request: who asks for which lock, and for how long: 1 ms to 31 years, to the microsecond.
    ///   - timeout: how long it may take, with the wait for other processes that use the file.
    /// - Returns: the answer; that somebody else holds the lock is one.
    /// - Throws: `LockError`: `unreachable` when there was no turn in time or the file cannot be opened,
    ///   `unknownOutcome` when the disk fails or hangs, `refused` and `notPermitted` for a file that is damaged,
    ///   foreign, or not ours to write, `invalidArgument` before anything is done, `closed` after ``close()``.
    public func acquire(
        _ request: AcquireRequest, timeout: Duration
    ) async throws(LockError) -> Stamped<AcquireReply> {
        try request.check()
        // A fence must not be forgotten by a power loss: a grant is on the disk before the yes. A no is only read, so
        // that many who wait for locks do not keep each other, and those who release them, from writing.
        return try await file.transact(about: request.keys, timeout: timeout, .mayWrite(.full)) {
            Stamped(try $0.acquire(request), serverTime: $0.now)
        }
    }

    /// Renews, extends, puts back, or swaps the token, if nobody was granted the lock since.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``; `refused` when nothing would be left, or more than
    ///   `maxLockTimeout` under the guard. That the lock is not ours any more is not an error.
    public func renew(_ request: RenewRequest, timeout: Duration) async throws(LockError) -> Stamped<RenewReply> {
        try request.check()
        // A renewal that a power loss undoes is harmless: the boot id changes with it, and ends every lease.
        return try await file.transact(about: request.keys, timeout: timeout, .writes(.normal)) {
            Stamped(try $0.renew(request), serverTime: $0.now)
        }
    }

    /// Deletes the row, and rings the waiters of every process. True when it was ours.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``. That it is another's or nobody's is not an error.
    public func release(_ request: ReleaseRequest, timeout: Duration) async throws(LockError) -> Bool {
        try request.check()
        return try await file.transact(
            about: request.keys, timeout: timeout,
            .writes(request.mark == nil && request.outcome == nil ? .normal : .full)
        ) {
            try $0.release(request)
        }
    }

    /// Shows a lock as of one instant; waits for no writer.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``. A lock that nobody holds is not an error.
    public func look(at keys: LockKeys, timeout: Duration) async throws(LockError) -> LockView {
        try await look(at: keys, withLedger: false, timeout: timeout)
    }

    /// Shows a lock, and the job's ledger if that is wanted, as of one instant; waits for no writer.
    ///
    /// - Throws: `LockError` as ``look(at:timeout:)``.
    public func look(at keys: LockKeys, withLedger: Bool, timeout: Duration) async throws(LockError) -> LockView {
        try await file.transact(about: keys, timeout: timeout, .reads) {
            try $0.look(at: keys, withLedger: withLedger)
        }
    }

    /// Sets or clears the mark, and rings the waiters of every process.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``.
    public func setMark(_ mark: Mark?, on keys: LockKeys, timeout: Duration) async throws(LockError) {
        try await file.transact(about: keys, timeout: timeout, .writes(.full)) {
            try $0.setMark(mark, on: keys)
            try $0.announce(keys)
        }
    }

    /// Sets a mark that was there before the file's data was lost.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``.
    public func restoreMark(_ mark: Mark, on keys: LockKeys, timeout: Duration) async throws(LockError) -> Bool {
        try await file.transact(about: keys, timeout: timeout, .writes(.full)) { try $0.restoreMark(mark, on: keys) }
    }

    /// This machine's `CLOCK_BOOTTIME`, in microseconds; never nil.
    public func serverTime() -> Int64? {
        file.serverTime()
    }

    /// Runs `body` while changes made by any process of this machine ring the bell.
    ///
    /// - Throws: what `body` throws, and nothing else.
    public func withAnnouncements<Result: Sendable>(
        of keys: LockKeys, _ body: (Doorbell) async throws -> Result
    ) async throws -> Result {
        let bell = Doorbell()
        connect(bell, to: keys)
        defer { disconnect(bell, from: keys) }
        return try await body(bell)
    }

    /// From now on changes made by any process of this machine ring the bell.
    public func connect(_ bell: Doorbell, to keys: LockKeys) {
        announcements.add(bell, for: keys.lock)
        announcements.watch { [weak file] in file?.readAnnouncements() }
    }

    /// They ring it no more.
    public func disconnect(_ bell: Doorbell, from keys: LockKeys) { announcements.remove(bell, for: keys.lock) }
}

extension LockKeys {
    /// The lock's key as text, for messages.
    var name: String { String(decoding: lock, as: UTF8.self) }
}
