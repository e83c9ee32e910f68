// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import NIOCore

/// Where requests go: to the present connection, or into a queue until there is one. Confined to its event loop.
final class CommandLink {
    private enum State {
        /// No connection, and why.
        case down(LockError)
        case up(ReplyHandler)
        /// The store was shut down.
        case closed
    }
    private var state: State
    private var waiting: [Transmission] = []
    private let timer = DeadlineTimer()
    private let loop: any EventLoop

    init(loop: any EventLoop, reason: LockError) {
        self.loop = loop
        state = .down(reason)
    }

    /// Sends now, or as soon as there is a connection; fails at the deadline, or when waiting can not help.
    func submit(_ transmission: Transmission) {
        switch state {
        case .up(let handler) where handler.send(transmission): break
        case .closed: transmission.finish(.failure(.storeClosed))
        case .down(let reason) where reason.isLasting: transmission.finish(.failure(reason))
        case .up, .down:
            waiting.append(transmission)
            timer.cover(transmission.deadline, on: loop) { self.failLate() }
        }
    }

    /// A connection is ready.
    func up(_ handler: ReplyHandler) {
        guard handler.failure == nil, case .down = state else { return }
        state = .up(handler)
        handler.onFailure = { error in self.down(error.whileInUse) }
        let transmissions = waiting
        waiting = []
        // A write may fail at once and bring us down again: so each by the front door.
        for transmission in transmissions { submit(transmission) }
    }

    /// Ends the connection, if there is one: another will be made.
    func giveUp(because error: LockError) {
        if case .up(let handler) = state { handler.close(because: error) }
    }

    /// There is no connection, and this is why.
    func down(_ reason: LockError) {
        if case .closed = state { return }
        state = .down(reason)
        if reason.isLasting { finishWaiting(reason) }
    }

    /// The end: whatever waits fails, and whatever comes.
    func close() {
        if case .up(let handler) = state {
            handler.onFailure = nil
            handler.close(because: .storeClosed)
        }
        state = .closed
        finishWaiting(.storeClosed)
    }

    private func finishWaiting(_ error: LockError) {
        let transmissions = waiting
        waiting = []
        for transmission in transmissions { transmission.finish(.failure(error)) }
    }

    private func failLate() {
        let now = loop.now
        let late = waiting.filter { $0.deadline <= now }
        waiting.removeAll { $0.deadline <= now }
        if let next = waiting.map(\.deadline).min() { timer.cover(next, on: loop) { self.failLate() } }
        let reason = if case .down(let error) = state { error.message } else { "" }
        for transmission in late {
            transmission.finish(.failure(LockError(.unreachable, "no connection: \(reason)")))
        }
    }
}

extension LockError {
    static var storeClosed: LockError { LockError(.closed, "the store was shut down") }
}
