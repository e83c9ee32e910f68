// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Synchronization

/// Carries announcements from process to process: a file beside the database, written after the commit.
///
/// Its contents mean nothing: the kernel tells every process that watches it that something changed (inotify), and
/// what did stands in the database. (Watching SQLite's own log fires before the commit can be seen.)
final class Announcements: Sendable {
    private struct State {
        var bells: [Bytes: [Doorbell]] = [:]
        var watcher: Watcher?
        var onChange: (@Sendable () -> Void)?
        var lastSeen: Int64? = 0
    }

    private let path: String
    private let file: AnnouncementFile
    private let state = Mutex(State())

    init(path: String) {
        self.path = path
        file = AnnouncementFile(path: path)
    }

    deinit { stop() }

    /// Number of the last change whose bells were rung; nil: not known.
    var lastSeen: Int64? { state.withLock { $0.lastSeen } }

    /// Whether there is anyone to be told. If not, changes pass unread, and the next to come is told of all of them.
    func hasListeners() -> Bool {
        state.withLock { state in
            if state.bells.isEmpty { state.lastSeen = nil }
            return !state.bells.isEmpty
        }
    }

    func add(_ bell: Doorbell, for lock: Bytes) {
        state.withLock { $0.bells[lock, default: []].append(bell) }
    }

    func remove(_ bell: Doorbell, for lock: Bytes) {
        state.withLock { state in
            state.bells[lock]?.removeAll { $0 === bell }
            if state.bells[lock]?.isEmpty == true { state.bells[lock] = nil }
        }
    }

    /// Begins to watch, if this does not yet. Calls `onChange`, on a thread of its own, when there is something to read.
    func watch(onChange: @escaping @Sendable () -> Void) {
        let isNew = state.withLock { state -> Bool in
            defer { state.onChange = onChange }
            return state.watcher == nil
        }
        if isNew { watchAgain() }
    }

    /// Watches the file that is at the path now, if anyone wants to be told.
    func watchAgain() {
        guard let onChange = state.withLock({ $0.onChange }) else { return }
        // Without a watch nothing is lost: a waiter tries again when the lease it saw runs out.
        guard
            let watcher = Watcher(
                path: path, onChange: onChange,
                onReplaced: { [weak self] in
                    self?.watchAgain()
                    self?.ringAll()
                })
        else { return }
        let previous = state.withLock { state -> Watcher? in
            defer { state.watcher = watcher }
            return state.watcher
        }
        previous?.cancel()
    }

    /// Tells every process, this one too. A failure is a lost short cut and nothing more.
    func announce() { file.write() }

    /// Rings the waiters for the locks that changed.
    func ring(for changes: Changes) {
        let bells = state.withLock { state -> [Doorbell] in
            state.lastSeen = changes.last
            guard let locks = changes.locks else { return state.bells.values.flatMap { $0 } }
            return locks.flatMap { state.bells[$0] ?? [] }
        }
        for bell in bells { bell.ring() }
    }

    /// Rings every waiter: something was missed, perhaps.
    func ringAll() {
        let bells = state.withLock { $0.bells.values.flatMap { $0 } }
        for bell in bells { bell.ring() }
    }

    /// Another file took the place of the database: its changes are counted anew.
    func startOver() {
        state.withLock { $0.lastSeen = nil }
        ringAll()
    }

    /// Ends the watch.
    func stop() {
        let watcher = state.withLock { state -> Watcher? in
            state.onChange = nil
            defer { state.watcher = nil }
            return state.watcher
        }
        watcher?.cancel()
        ringAll()
    }
}
