// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Dispatch
import Glibc
import Synchronization

/// Sends the daemon's entries to the journal, in order, without ever waiting for it.
///
/// What a slow journal has no room for is kept, up to a bound; what a hung one makes too much is dropped, counted, and
/// told when it takes entries again.
final class JournalWriter: Sendable {
    private struct State {
        var socket: JournalSocket
        /// What was not taken yet, oldest first.
        var kept: [Bytes] = []
        var keptBytes = 0
        var dropped = 0
        /// Somebody waits for room, and will send what is kept.
        var isDraining = false
    }

    private let state: Mutex<State>
    private let node: String
    private let drainer = DispatchQueue(label: "baton.journal")

    /// So much is kept for a journal without room: some thousand entries.
    private static let limit = 1 << 20

    /// Nil: there is no journal at `path`.
    init?(path: String, node: String) {
        guard let socket = JournalSocket(path: path) else { return nil }
        state = Mutex(State(socket: socket))
        self.node = node
    }

    /// Sends an entry, or keeps it, or drops it.
    func write(_ entry: Bytes) {
        // Sending is done under the lock, since it does not wait, and the order is to stay.
        let mustDrain = state.withLock { state in
            if state.kept.isEmpty, send(entry, &state) != .noRoom { return false }
            if state.keptBytes + entry.count > Self.limit {
                state.dropped += 1
            } else {
                state.kept.append(entry)
                state.keptBytes += entry.count
            }
            defer { state.isDraining = true }
            return !state.isDraining
        }
        if mustDrain { drainer.async { self.drain() } }
    }

    /// Gives what is kept a last chance; for the end of the program.
    func flush(within limit: Duration) {
        let deadline = BootClock.now() + limit
        while BootClock.now() < deadline, state.withLock({ $0.isDraining }) { usleep(5000) }
    }

    /// Runs on a thread of its own, as long as something is kept.
    private func drain() {
        while true {
            var room = pollfd(fd: state.withLock { $0.socket.descriptor }, events: Int16(POLLOUT), revents: 0)
            // With a time limit: the socket may be another one meanwhile.
            poll(&room, 1, 1000)
            let isDone = state.withLock { state in
                var sent = 0
                defer { state.kept.removeFirst(sent) }
                for entry in state.kept {
                    if send(entry, &state) == .noRoom { return false }
                    sent += 1
                    state.keptBytes -= entry.count
                }
                if state.dropped > 0, tellDropped(&state) == .noRoom { return false }
                state.isDraining = false
                return true
            }
            if isDone { return }
        }
    }

    private func send(_ entry: Bytes, _ state: inout State) -> JournalSocket.Outcome {
        // What is kept is older than what was dropped.
        if state.dropped > 0, state.kept.isEmpty, tellDropped(&state) == .noRoom { return .noRoom }
        let outcome = state.socket.send(entry)
        if outcome == .lost { state.dropped += 1 }
        return outcome
    }

    private func tellDropped(_ state: inout State) -> JournalSocket.Outcome {
        var entry = JournalLogHandler.head(priority: 4, node: node)
        entry.put("MESSAGE_ID", EventKind.logDropped.id)
        entry.put("BATON_EVENT", EventKind.logDropped.rawValue)
        entry.put("BATON_DROPPED_LINES", "\(state.dropped)")
        let counted = state.dropped == 1 ? "1 message" : "\(state.dropped) messages"
        entry.put("MESSAGE", "\(counted) dropped here: the journal did not take them")
        let outcome = state.socket.send(entry.bytes)
        if outcome == .taken { state.dropped = 0 }
        return outcome
    }
}
