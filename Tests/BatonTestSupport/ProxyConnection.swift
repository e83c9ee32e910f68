// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// One connection through a ``FaultProxy``. Confined to the proxy's thread.
final class ProxyConnection {
    /// One thing to be done in a direction, after everything before it.
    private enum Act {
        case send([UInt8], [Exchange] = [])
        case wait(until: ContinuousClock.Instant)
        case hold
        /// For good: what comes after it is never done.
        case silence
        case cut(WireFault.Cut)
        case flood([UInt8])
    }
    /// A request, or one of several replies to it.
    private final class Exchange {
        /// The fault of the reply.
        var fault: WireFault?
        var strike: Int?
        /// The answer in the server's place.
        var answer: [UInt8]?
        var hasPassed = false
    }
    private enum Client { case open, muted, gone }

    private let proxy: FaultProxy
    private let client: Int32
    private let server: Int32
    private var clientState = Client.open
    private var requests = WireSplitter()
    private var replies = WireSplitter()
    private var toServer: [Act] = []
    private var toClient: [Act] = []
    /// What the client asked and has no answer to yet, in order.
    private var exchanges: [Exchange] = []
    private(set) var isOver = false

    init(_ proxy: FaultProxy, client: Int32, server: Int32) {
        self.proxy = proxy
        self.client = client
        self.server = server
    }

    var interests: [pollfd] {
        if isOver { return [] }
        var events = Int16(POLLIN)
        if case .flood = toClient.first { events |= Int16(POLLOUT) }
        return [pollfd(fd: clientState == .gone ? -1 : client, events: events, revents: 0)]
            + [pollfd(fd: server, events: Int16(POLLIN), revents: 0)]
    }

    /// When something is due that no byte announces.
    var wakeAt: ContinuousClock.Instant? {
        [toServer.first, toClient.first].compactMap { if case .wait(let until) = $0 { until } else { nil } }.min()
    }

    /// Whether the server is doing something, or will: a request is on its way.
    var isBusy: Bool {
        for act in toServer {
            if case .silence = act { break }
            if case .send = act { return true }
        }
        return exchanges.contains { $0.hasPassed }
    }

    // MARK: Reading

    func read() {
        if isOver { return }
        if clientState != .gone, let bytes = available(client) {
            if clientState == .open { requests.feed(bytes) }
            if bytes.isEmpty { left() }
            while let request = requests.next() { asked(request) }
        }
        if let bytes = available(server) {
            replies.feed(bytes)
            while let reply = replies.next() { answered(reply) }
            if bytes.isEmpty { close() }
        }
    }

    /// What there is to read; nil: nothing yet, empty: the end.
    private func available(_ descriptor: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count < 0 { return errno == EAGAIN || errno == EINTR ? nil : [] }
        return Array(buffer[..<count])
    }

    private func asked(_ request: [UInt8]) {
        let words = WireSplitter.words(of: request)
        let name = String(decoding: words.first ?? [], as: UTF8.self)
        let exchange = Exchange()
        let fault = strike(name, request, exchange)
        exchanges.append(exchange)
        // A subscription is confirmed channel by channel.
        let confirmations = name.hasSuffix("SUBSCRIBE") ? max(words.count - 1, 1) : 1
        exchanges += (1..<confirmations).map { _ in Exchange() }
        let sending = Act.send(request, Array(exchanges.suffix(confirmations)))
        let half = Act.send(Array(request.prefix(request.count / 2)))
        switch fault {
        case .requestLate(let delay): toServer += [.wait(until: .now + delay), sending]
        case .requestHeld: toServer += [.hold, sending]
        case .requestLost: toServer.append(.silence)
        case .requestCut(.before, let cut): toServer.append(.cut(cut))
        case .requestCut(.amid, let cut): toServer += [half, .cut(cut)]
        case .requestCut(.after, let cut): toServer += [sending, .cut(cut)]
        case .answered(let bytes):
            exchange.answer = bytes
            answerInPlace()
        case nil: toServer.append(sending)
        default:
            exchange.fault = fault
            toServer.append(sending)
        }
    }

    private func answered(_ reply: [UInt8]) {
        if WireSplitter.words(of: reply).first == Array("message".utf8) {
            let announcement = Exchange()
            announcement.fault = strike("message", reply, announcement)
            return pass(reply, announcement)
        }
        guard !exchanges.isEmpty else { return pass(reply, Exchange()) }
        let exchange = exchanges.removeFirst()
        if let strike = exchange.strike { proxy.state.withLock { $0.strikes[strike].answer = reply } }
        pass(reply, exchange)
        answerInPlace()
    }

    /// The fault that this message meets, if it meets one.
    private func strike(_ name: String, _ message: [UInt8], _ exchange: Exchange) -> WireFault? {
        proxy.state.withLock { state in
            state.seen[name, default: 0] += 1
            guard let index = state.faults.firstIndex(where: { $0.step.matches(name, message) }) else { return nil }
            let (step, fault, isLasting) = state.faults[index]
            if !isLasting { state.faults.remove(at: index) }
            exchange.strike = state.strikes.count
            state.strikes.append(WireStrike(step: step, fault: fault))
            return fault
        }
    }

    private func pass(_ reply: [UInt8], _ exchange: Exchange) {
        let half = Act.send(Array(reply.prefix(reply.count / 2)))
        switch exchange.fault {
        case .replyLate(let delay): toClient += [.wait(until: .now + delay), .send(reply)]
        case .replyHeld: toClient += [.hold, .send(reply)]
        case .replyLost: toClient.append(.silence)
        case .replyCut(.before, let cut): toClient.append(.cut(cut))
        case .replyCut(.amid, let cut): toClient += [half, .cut(cut)]
        case .replyCut(.after, let cut): toClient += [.send(reply), .cut(cut)]
        case .replyHalved: toClient += [half, .silence]
        case .replyReplaced(let bytes): toClient.append(.send(bytes))
        case .replyEndless(let head, let filling): toClient += [.send(head), .flood(filling)]
        case .requestLate, .requestHeld, .requestLost, .requestCut, .answered, nil: toClient.append(.send(reply))
        }
    }

    /// Answers in the server's place, as soon as it has answered what came before.
    private func answerInPlace() {
        while let answer = exchanges.first?.answer {
            toClient.append(.send(answer))
            exchanges.removeFirst()
        }
    }

    // MARK: Doing

    /// Does what can be done now, in both directions.
    func act() {
        while !isOver, let act = toServer.first {
            switch act {
            case .send(let bytes, let sent):
                write(bytes, to: server)
                for exchange in sent {
                    exchange.hasPassed = true
                    if let strike = exchange.strike { proxy.state.withLock { $0.strikes[strike].hasPassed = true } }
                }
            case .cut(let cut):
                toServer = [act]
                end(cut)
            case .wait, .hold, .silence, .flood: if !isDone(act) { return finish() }
            }
            toServer.removeFirst()
        }
        while !isOver, clientState == .open, let act = toClient.first {
            switch act {
            case .send(let bytes, _): write(bytes, to: client)
            case .cut(let cut):
                end(cut)
                continue
            case .flood(let filling):
                let count = send(client, filling, filling.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
                if count > 0 { proxy.state.withLock { $0.swallowed += count } }
                return finish()
            case .wait, .hold, .silence: if !isDone(act) { return finish() }
            }
            toClient.removeFirst()
        }
        finish()
    }

    private func isDone(_ act: Act) -> Bool {
        switch act {
        case .wait(let until): .now >= until
        case .hold: proxy.state.withLock { $0.isDelivering }
        default: false
        }
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    // MARK: Ending

    /// Ends the client's side. The server still gets what is on its way.
    func end(_ cut: WireFault.Cut) {
        toClient = []
        guard clientState == .open else { return }
        switch cut {
        case .fin:
            shutdown(client, Int32(SHUT_WR))
            clientState = .muted
        case .rst:
            var at = linger(l_onoff: 1, l_linger: 0)
            setsockopt(client, SOL_SOCKET, SO_LINGER, &at, socklen_t(MemoryLayout<linger>.size))
            left()
        }
    }

    private func left() {
        guard clientState != .gone else { return }
        clientState = .gone
        toClient = []
        Glibc.close(client)
    }

    /// A connection whose client has left is over once the server has done what it was asked.
    private func finish() {
        if clientState == .gone, !isBusy { close() }
    }

    /// Ends both sides.
    func close() {
        guard !isOver else { return }
        isOver = true
        left()
        Glibc.close(server)
    }
}
