// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import Logging
import NIOCore

/// Who listens to which channel, and the subscription connection while there is one. Confined to its event loop.
///
/// However many listen to a channel, it is subscribed to once.
final class Announcements {
    private enum State {
        /// No attempt to connect is over yet: worth waiting for.
        case starting
        case up(ReplyHandler)
        case down
    }
    private struct Subscription {
        var bells: [ObjectIdentifier: Doorbell] = [:]
        /// Those who wait until the server has confirmed, or it is clear that it will not.
        var unready: [ObjectIdentifier: CheckedContinuation<Void, Never>] = [:]
        var isConfirmed = false
    }
    private var state = State.starting
    private var subscriptions: [[UInt8]: Subscription] = [:]
    /// Confirmations still to come on this connection: more than one after a quick unsubscribe and subscribe.
    private var pending: [[UInt8]: Int] = [:]
    /// What was asked on this connection and is not answered, in order: the channel, or nil for an unsubscription.
    private var unanswered = CircularBuffer<[UInt8]?>()
    /// How much was asked on this connection.
    private var asked = 0
    private let loop: any EventLoop
    private let logger: Logger
    private let wanted: AsyncStream<Void>.Continuation
    private let patience: TimeAmount

    /// How long a listener is kept waiting for the confirmation of its subscription. One that comes later rings the bell,
    /// so the wait saves the listener a question to the server, and is worth no more.
    private static let longestWait = TimeAmount.milliseconds(50)

    /// `wanted` is told when somebody listens: a connection is needed from the first time on. A server that leaves a
    /// subscription unanswered for `patience` is taken to be gone.
    init(loop: any EventLoop, patience: TimeAmount, logger: Logger, wanted: AsyncStream<Void>.Continuation) {
        self.loop = loop
        self.patience = patience
        self.logger = logger
        self.wanted = wanted
    }

    /// Rings `bell` at each announcement on `channel`; `ready` is resumed when that is in force, or will not be soon.
    func listen(on channel: [UInt8], _ bell: Doorbell, ready: CheckedContinuation<Void, Never>? = nil) {
        let id = ObjectIdentifier(bell)
        let isFirst = subscriptions[channel] == nil
        subscriptions[channel, default: Subscription()].bells[id] = bell
        if case .down = state {
            ready?.resume()
        } else if subscriptions[channel]?.isConfirmed == true {
            ready?.resume()
        } else {
            if let ready {
                subscriptions[channel]?.unready[id] = ready
                loop.assumeIsolated().scheduleTask(in: Self.longestWait) { self.becameReady(id, on: channel) }
            }
            if isFirst { subscribe(to: [channel]) }
        }
        wanted.yield()
    }

    /// The bell is rung no more.
    func ignore(_ bell: Doorbell, on channel: [UInt8]) {
        let id = ObjectIdentifier(bell)
        becameReady(id, on: channel)
        subscriptions[channel]?.bells[id] = nil
        guard let subscription = subscriptions[channel], subscription.bells.isEmpty else { return }
        subscriptions[channel] = nil
        ask([("UNSUBSCRIBE", channel)])
    }

    /// A connection is ready.
    func up(_ handler: ReplyHandler) {
        guard handler.failure == nil else { return }
        state = .up(handler)
        handler.onPush = { self.took($0) }
        handler.onFailure = { _ in self.down() }
        subscribe(to: Array(subscriptions.keys))
    }

    /// There is no connection: nobody has to wait for one.
    func down() {
        state = .down
        pending = [:]
        unanswered = []
        asked = 0
        for channel in subscriptions.keys {
            subscriptions[channel]?.isConfirmed = false
            allReady(on: channel)
        }
    }

    /// Requests go to another server than before: let all who listen look.
    func ringAll() { for channel in subscriptions.keys { ring(channel) } }

    /// The connection leads to a server that nobody asks any more.
    func giveUp(because reason: LockError) {
        if case .up(let handler) = state { handler.close(because: reason) }
    }

    private func subscribe(to channels: [[UInt8]]) {
        guard case .up(let handler) = state, !channels.isEmpty else { return }
        for channel in channels { pending[channel, default: 0] += 1 }
        ask(channels.map { ("SUBSCRIBE", $0) })
        let last = asked
        loop.assumeIsolated().scheduleTask(in: patience) {
            guard case .up(let present) = self.state, present === handler else { return }
            if self.asked - self.unanswered.count < last { handler.closeUnanswered() }
        }
    }

    /// One command for each channel: each has one answer, be it an error.
    private func ask(_ commands: [(name: String, channel: [UInt8])]) {
        guard case .up(let handler) = state else { return }
        asked += commands.count
        unanswered.append(contentsOf: commands.map { $0.name == "SUBSCRIBE" ? $0.channel : nil })
        do throws(LockError) {
            handler.sendUnanswered(try Commands(commands.map { Command([UInt8]($0.name.utf8), $0.channel) }))
        } catch {
            handler.close(because: error)
        }
    }

    private func took(_ reply: Reply) {
        if case .error(let message) = reply {
            logger.warning(
                "the store refuses a subscription, so releases are noticed late",
                metadata: ["reason": "\(printable(message))"])
            if let channel = answeredChannel() {
                // Nothing is announced, but this may be another server than before: let them look.
                ring(channel)
                allReady(on: channel)
            }
            return
        }
        guard let parts = reply.elements, parts.count >= 3, let channel = parts[1].bytes else { return }
        switch parts[0].text {
        case "message": ring(channel)
        case "subscribe":
            guard answeredChannel() == channel, pending[channel] == nil else { return }
            subscriptions[channel]?.isConfirmed = true
            // What was announced before this moment is lost: let them look for themselves.
            ring(channel)
            allReady(on: channel)
        case "unsubscribe": _ = answeredChannel()
        default: break
        }
    }

    /// Takes note of an answer. The channel, if it was to a subscription.
    private func answeredChannel() -> [UInt8]? {
        guard let channel = unanswered.popFirst() ?? nil else { return nil }
        let left = pending[channel, default: 1] - 1
        pending[channel] = left == 0 ? nil : left
        return channel
    }

    private func ring(_ channel: [UInt8]) {
        for bell in (subscriptions[channel]?.bells ?? [:]).values { bell.ring() }
    }

    private func becameReady(_ id: ObjectIdentifier, on channel: [UInt8]) {
        subscriptions[channel]?.unready.removeValue(forKey: id)?.resume()
    }

    private func allReady(on channel: [UInt8]) {
        let waiting = subscriptions[channel]?.unready ?? [:]
        subscriptions[channel]?.unready = [:]
        for ready in waiting.values { ready.resume() }
    }
}
