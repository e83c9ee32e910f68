// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import NIOCore

/// One connection's traffic: writes transmissions and matches replies to them, in order. Confined to its event loop.
///
/// Transmissions are handed to it by call, not through the pipeline: a write on a closed channel would never reach it,
/// and its waiter would wait for ever.
///
/// A transmission that was given up keeps its place in the queue, so that a late reply is dropped and never taken for
/// another's. A peer that leaves the oldest one unanswered for `patience` is considered gone, and the connection closed.
final class ReplyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Why the connection ended, or is about to; nil while it is in use.
    private(set) var failure: LockError?
    /// Called once, when the connection can not be used any more.
    var onFailure: ((LockError) -> Void)?
    /// Set on the subscription connection: takes every reply that nobody asked for.
    var onPush: ((Reply) -> Void)?

    private let peer: String
    private let patience: TimeAmount
    private let redacted: Redaction
    private var context: ChannelHandlerContext?
    private var reader = ReplyReader()
    private var inFlight = CircularBuffer<Transmission>()
    private let timer = DeadlineTimer()
    /// Requests were written that are not sent yet.
    private var mustFlush = false

    init(peer: String, patience: TimeAmount, redacted: Redaction) {
        self.peer = peer
        self.patience = patience
        self.redacted = redacted
    }

    /// Writes a transmission; it is finished by its replies, its deadline, or the end of the connection.
    ///
    /// False, and nothing is done, when the connection has ended.
    func send(_ transmission: Transmission) -> Bool {
        guard failure == nil, let context else { return false }
        let loop = context.eventLoop
        transmission.written = loop.now
        inFlight.append(transmission)
        timer.cover(transmission.deadline, on: loop) { self.failLate() }
        if inFlight.count == 1 {
            context.writeAndFlush(wrapOutboundOut(transmission.bytes), promise: nil)
            return true
        }
        // While others are on their way, those of one turn of the loop travel together.
        context.write(wrapOutboundOut(transmission.bytes), promise: nil)
        if !mustFlush {
            mustFlush = true
            loop.assumeIsolated().execute {
                self.mustFlush = false
                self.context?.flush()
            }
        }
        return true
    }

    /// Writes commands whose replies are pushes. For the subscription connection.
    func sendUnanswered(_ commands: Commands) {
        context?.writeAndFlush(wrapOutboundOut(commands.bytes), promise: nil)
    }

    /// Ends the connection for a reason of our own.
    func close(because error: LockError) {
        fail(error)
        context?.close(promise: nil)
    }

    /// Ends the connection because something was not answered for longer than the peer is trusted to be alive.
    func closeUnanswered() { close(because: LockError(.unreachable, "\(peer) does not answer")) }

    private func failLate() {
        guard let loop = context?.eventLoop else { return }
        let now = loop.now
        var next: NIODeadline?
        for transmission in inFlight where transmission.isAwaited {
            if transmission.deadline <= now {
                fail(late: transmission, on: loop)
            } else {
                next = min(next ?? transmission.deadline, transmission.deadline)
            }
        }
        if let next { timer.cover(next, on: loop) { self.failLate() } }
    }

    private func fail(late transmission: Transmission, on loop: any EventLoop) {
        guard let written = transmission.written else { return }
        transmission.finish(.failure(LockError(.unknownOutcome, "\(peer) did not answer in time")))
        loop.assumeIsolated().scheduleTask(deadline: written + patience) {
            guard let oldest = self.inFlight.first, let since = oldest.written, since <= written else { return }
            self.closeUnanswered()
        }
    }

    private func fail(_ error: LockError) {
        guard failure == nil else { return }
        failure = error
        let unfinished = inFlight
        inFlight.removeAll()
        onFailure?(error)
        onFailure = nil
        for transmission in unfinished {
            transmission.finish(.failure(LockError(.unknownOutcome, "connection lost: \(error.message)")))
        }
    }

    // MARK: The channel's events

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        fail(LockError(.unreachable, "\(peer): the connection was closed"))
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard failure == nil else { return }
        do throws(ReplyReader.Failure) {
            // `withUnsafeReadableBytes` rethrows untyped, hence the result.
            try unwrapInboundIn(data).withUnsafeReadableBytes { bytes in
                Result { () throws(ReplyReader.Failure) in try reader.feed(bytes) }
            }.get()
            while failure == nil, let reply = try reader.next() { took(reply) }
        } catch {
            close(because: LockError(.protocolViolation, "\(peer) does not speak the protocol: \(error.reason)"))
        }
    }

    private func took(_ reply: Reply) {
        let reply = if case .error(let message) = reply { Reply.error(redacted(message)) } else { reply }
        if let transmission = inFlight.first {
            if transmission.take(reply) { inFlight.removeFirst() }
            if case .error(let message) = reply, ServerError(message).endsConnection {
                // WRONGPASS says more than the NOAUTH to everything that was sent after it.
                let refusals = transmission.errors.filter { $0.kind == .notPermitted }
                close(because: (refusals.first ?? ServerError(message)).lockError(peer: peer))
            }
        } else if let onPush {
            onPush(reply)
        } else if case .error(let message) = reply {
            // An error that answers nothing is the server's last word: "DENIED", "max number of clients reached".
            close(because: ServerError(message).lockError(peer: peer))
        } else {
            close(because: LockError(.protocolViolation, "\(peer) sent a reply to a question nobody asked"))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        close(because: LockError(connecting: error, to: peer))
    }

    func channelInactive(context: ChannelHandlerContext) {
        // A server that hangs up gives its reason as an answer to the first command: "max number of clients reached".
        fail(inFlight.first?.refusal?.lockError(peer: peer) ?? LockError(.unreachable, "\(peer) closed the connection"))
        context.fireChannelInactive()
    }
}
