// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Requests and answers: late, lost, twice, in another order.
extension World {
    /// Sends a request; what comes of it is told to the daemon, at the latest when `patience` is over.
    mutating func send(_ request: Request, for purpose: Exchange.Purpose, by shell: Shell, within patience: Duration) {
        let (node, job) = (shell.node, shell.job)
        meetServer(node)
        judgeSending(request)
        let sentAt = clock(node)
        let slot = exchanges.add(
            Exchange(
                node: node, job: job, shell: shell.id, life: nodes[node].daemon.life, purpose: purpose,
                request: request,
                sentAt: sentAt, isForOld: nodes[node].link.isOnOld,
                clockNumber: nodes[node].daemon.clockNumber))
        note(node, "job \(job + 1): asks \(request)")
        refer(to: slot)
        schedule(.timeout, at: nodes[node].clock.truth(of: sentAt + patience), node: node, job: job, slot: slot)
        transmit(slot, from: node)
        if nodes[node].link.duplicates > 0, weather.happens(nodes[node].link.duplicates) { transmit(slot, from: node) }
    }

    /// Another server than before has a clock of its own.
    private mutating func meetServer(_ node: Int) {
        let present = nodes[node].link.isOnOld ? -lives : lives
        if nodes[node].daemon.server != present, nodes[node].daemon.server != 0 { nodes[node].daemon.clockNumber += 1 }
        nodes[node].daemon.server = present
    }

    private mutating func transmit(_ slot: Int32, from node: Int) {
        let link = nodes[node].link
        var delay = latency(link)
        if link.lateUntil > now { delay += weather.between(0, link.lateness) }
        if !link.carriesUp {
            // What a broken network swallows may come out of it when it is whole.
            guard weather.happens(500) else { return }
            delay += max(0, link.upAgain - now) + weather.between(0, 2_000_000)
        } else if link.loss > 0, weather.happens(link.loss) {
            guard weather.happens(300) else { return }
            delay += weather.between(0, scenario.longest)
        }
        refer(to: slot)
        schedule(.request, at: now + delay, node: node, slot: slot)
    }

    private mutating func latency(_ link: Link) -> Int64 {
        weather.between(50_000, weather.happens(50) ? 20_000_000 : 900_000)
    }

    mutating func refer(to slot: Int32) { exchanges[slot]?.references += 1 }

    /// One occurrence fewer that needs it.
    mutating func release(exchange slot: Int32) {
        exchanges[slot]?.references -= 1
        if exchanges[slot]?.references == 0 { _ = exchanges.take(slot) }
    }

    // MARK: At the server

    mutating func requestArrived(_ occurrence: Occurrence) {
        switch server.condition {
        case .stopped:
            server.waiting.append(occurrence)
            return
        case .down:
            // Nobody listens: the client is told so at once.
            let slot = occurrence.slot
            if exchanges[slot]?.answer == nil { exchanges[slot]?.answer = .failure(.unknownOutcome) }
            schedule(.answer, at: now + 200_000, node: Int(occurrence.node), slot: slot)
            return
        case .up: break
        }
        let slot = occurrence.slot
        guard let exchange = exchanges[slot] else { return }
        let done = server.refuses ? Answer.failure(.unavailable) : serve(exchange)
        let answer = confirmed(done) ?? .failure(.unknownOutcome)
        judgeAnswer(answer, to: exchange)
        note(-1, "to node \(exchange.node + 1), job \(exchange.job + 1): \(answer)")
        // Of a request that came twice, the answer to the first counts.
        if exchange.answer == nil {
            exchanges[slot]?.answer = answer
            exchanges[slot]?.serverTime = server.time(at: now)
        }
        let link = nodes[exchange.node].link
        var delay = latency(link) + server.slowness
        if link.lateUntil > now, weather.happens(200) { delay += weather.between(0, link.lateness) }
        if !link.carriesDown {
            if weather.happens(500) { return release(exchange: slot) }
            delay += max(0, link.downAgain - now) + weather.between(0, 2_000_000)
        } else if link.loss > 0, weather.happens(link.loss) {
            return release(exchange: slot)
        }
        schedule(.answer, at: now + delay, node: exchange.node, job: exchange.job, slot: slot)
    }

    private mutating func serve(_ exchange: Exchange) -> Answer {
        let keys = scenario.jobs[exchange.job].keys
        if now - server.olderTakenAt > scenario.longest / 2 {
            server.older = server.model
            server.olderTakenAt = now
        }
        let moment = StoreModel.Moment(time: server.time(at: now), random: freshBytes())
        do {
            switch exchange.request {
            case .acquire(let request):
                let holder = server.model.look(at: keys, at: moment.time).token
                let reply = try server.model.acquire(request, at: moment)
                judgeAcquire(request, reply, in: exchange, holder: holder)
                return .acquire(reply)
            case .renew(let request):
                let holder = server.model.look(at: keys, at: moment.time).token
                let reply = try server.model.renew(request, at: moment)
                if case .renewed = reply { judgeRenewal(request, node: exchange.node, holder: holder) }
                return .renew(reply)
            case .release(let request):
                let announcement = server.model.release(request, at: moment.time)
                if announcement != nil {
                    judgeRelease(token: request.token, job: exchange.job)
                    announce(exchange.job)
                }
                return .release(announcement != nil)
            case .look: return .look(server.model.look(at: keys, at: moment.time))
            case .mark(let mark):
                server.model.setMark(mark, on: keys, at: moment.time)
                announce(exchange.job)
                return .marked
            case .settle(let request): return .ledger(server.model.settle(request, at: moment))
            }
        } catch {
            judge.figures.refusals += 1
            return .failure(.refused)
        }
    }

    /// Rule S9: everybody who listens is told; a broken network tells nobody.
    private mutating func announce(_ job: Int) {
        for node in nodes.indices
        where nodes[node].link.isOnOld == isServingOld && nodes[node].link.carriesDown
            && !(nodes[node].link.loss > 0 && weather.happens(500))
        {
            let delay = latency(nodes[node].link) + server.slowness
            schedule(.announcement, at: now + delay, node: node, job: job)
        }
    }

    /// A connection was made anew: every loop asks again.
    mutating func ringAll(_ node: Int, after delay: Int64) {
        for job in scenario.jobs.indices { schedule(.announcement, at: now + delay, node: node, job: job) }
    }

    // MARK: Back at the daemon

    mutating func answerArrived(_ occurrence: Occurrence) {
        let slot = occurrence.slot
        defer { release(exchange: slot) }
        guard let exchange = exchanges[slot], exchange.isAwaited, let answer = exchange.answer,
            exchange.life == nodes[exchange.node].daemon.life
        else { return }
        exchanges[slot]?.isAwaited = false
        if case .failure = answer {
        } else {
            hear(exchange)
        }
        judgeHeard(answer, to: exchange)
        heard(answer, exchange)
    }

    /// Every answer says something of the server's clock.
    private mutating func hear(_ exchange: Exchange) {
        let node = exchange.node
        guard exchange.clockNumber == nodes[node].daemon.clockNumber else { return }
        let reading = ClockReading(exchange.granted, arrival: clock(node))
        nodes[node].daemon.latest = reading
        judgePause(exchange)
        guard let notice = nodes[node].daemon.watch.heard(reading, sentAt: exchange.sentAt) else { return }
        judge.saw(.clockNotice)
        note(node, "the server's clock: \(notice)")
        for shell in nodes[node].daemon.shells {
            if let shell { post(.event(.lease(.heard(notice.reading))), to: shell) }
        }
    }

    mutating func requestTimedOut(_ occurrence: Occurrence) {
        let slot = occurrence.slot
        defer { release(exchange: slot) }
        guard let exchange = exchanges[slot], exchange.isAwaited, exchange.life == nodes[exchange.node].daemon.life
        else { return }
        exchanges[slot]?.isAwaited = false
        judge.figures.timeouts += 1
        heard(.failure(.unknownOutcome), exchange)
    }

    /// The connection broke: what was on its way has an unknown outcome, although it may still arrive.
    mutating func breakConnection(_ node: Int) {
        for (slot, exchange) in exchanges.entries where exchange.node == node && exchange.isAwaited {
            if exchange.answer == nil { exchanges[slot]?.answer = .failure(.unknownOutcome) }
            refer(to: slot)
            schedule(.timeout, at: now, node: node, job: exchange.job, slot: slot)
        }
        ringAll(node, after: 3_000_000)
    }

    private mutating func heard(_ answer: Answer, _ exchange: Exchange) {
        note(exchange.node, "job \(exchange.job + 1): hears \(answer)")
        answered(answer, exchange)
    }

    /// What the daemon takes for the server's time, not later than it is; nil before the first answer.
    func serverTime(_ node: Int) -> Int64? {
        nodes[node].daemon.latest?.serverTime(at: clock(node))
    }
}
