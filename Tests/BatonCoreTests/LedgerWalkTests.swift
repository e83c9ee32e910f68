// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// Nodes that claim ticks in the model of a store, over a network that loses and delays, while the store forgets, comes
/// back with older data, or has its clock put back: as long as the nodes remember, no attempt is begun twice (promise 4).
struct LedgerWalkTests {
    @Test(arguments: 0..<60)
    func noAttemptIsBegunTwice(seed: Int) {
        var world = LedgerWorld(seed: UInt64(seed))
        world.run(until: Instant(nanoseconds: 120_000_000_000))
        if world.faults.isEmpty, world.begun.count > 20 { return }
        Issue.record("\(world.faults), \(world.begun.count) runs: \(world.history.suffix(60).joined(separator: "\n"))")
    }
}

/// A job that is due every other second, on three nodes that catch up whatever they can.
private struct LedgerWorld {
    struct Attempt: Hashable {
        var tick: Int64
        var attempt: Int
        var manual: Int64?
    }

    struct Holding {
        var token: Bytes
        var run: LedgerEntry
        var deadline: Instant
        var endsAt: Instant
        var renewsAt: Instant
    }

    /// A node: what it remembers, and what it is about.
    struct Node {
        var waiter = WaitMachine(timeout: .seconds(2), maxLockTimeout: .seconds(4))
        /// Kept on its disk.
        var floor: Int64 = 0
        var view = LedgerView()
        var holding: Holding?
        /// What was sent and not answered, and how often it is still asked.
        var claim: (request: AcquireRequest, tries: Int)?
        /// To be told until it is answered.
        var releases: [ReleaseRequest] = []
        var saidFloorAt = Instant(nanoseconds: 0)
        /// Requests in a row that were not answered.
        var silence = 0
    }

    enum Fate { case answered, unheard, lost, late }

    enum Late {
        case acquire(AcquireRequest)
        case renew(RenewRequest)
        case release(ReleaseRequest)
        case settle(SettleRequest)
    }

    let keys = LockKeys(prefix: "baton", job: "report")
    let timing = LeaseTiming(timeout: .seconds(2), killLatency: .zero, requestTimeout: .milliseconds(300))
    var random: SplitMix
    var store = StoreModel(clock: .server, identity: [0])
    var copy: StoreModel
    var nodes = [Node](repeating: Node(), count: 3)
    var onTheirWay: [(at: Instant, what: Late)] = []
    var now = Instant(nanoseconds: 0)
    var step: Int64 = 0
    var serial = 0
    /// Whether the ledger alone may be lost in this world: where the clock is put back, nothing else would show how far
    /// it was.
    let losesLedgers: Bool
    var begun: [Attempt: Bytes] = [:]
    var faults: [String] = []
    var history: [String] = []

    init(seed: UInt64) {
        random = SplitMix(state: seed)
        copy = store
        losesLedgers = Bool.random(using: &random)
    }

    var serverTime: Int64 { now.nanoseconds / 1000 + 1_790_000_000_000_000 + step }

    mutating func run(until end: Instant) {
        while now < end, faults.isEmpty {
            now = now + .milliseconds(50)
            let due = onTheirWay.filter { $0.at <= now }
            onTheirWay.removeAll { $0.at <= now }
            for late in due { arrives(late.what) }
            if chance(200) { misfortune() }
            if chance(100) { copy = store }
            if chance(80) { _ = store.ask(AskRequest(keys: keys, by: "ops", call: fresh()), at: moment()) }
            for index in nodes.indices.shuffled(using: &random) { act(index) }
        }
    }

    private mutating func misfortune() {
        let kind = Int.random(in: 0..<7, using: &random)
        tell("misfortune \(kind)")
        serial += 1
        switch kind {
        case 0: store.forgetEverything()
        case 1:
            store.forgetEverything()
            store.restart(as: fresh())
        case 2: store.restart(as: fresh())
        case 3, 4:
            store = copy
            store.restart(as: fresh())
        case 5:
            if losesLedgers {
                store.forgetLedger(keys)
            } else {
                step -= Int64.random(in: 0...9_000_000, using: &random)
            }
        default: store.forgetLock(keys)
        }
    }

    // MARK: A node

    private mutating func act(_ index: Int) {
        if let holding = nodes[index].holding {
            if now >= min(holding.deadline, holding.endsAt) { return ended(holding, index) }
            if now >= holding.renewsAt { renew(holding, index) }
        } else if let release = nodes[index].releases.first {
            self.release(release, index)
        } else if nodes[index].floor * 1_000_000 > serverTime, now >= nodes[index].saidFloorAt + .seconds(1) {
            // Nobody can claim what comes next, and so nobody would see that the store forgot: it is told again.
            sayFloor(index)
        } else {
            claim(index)
        }
    }

    private mutating func ended(_ holding: Holding, _ index: Int) {
        let outcome = now >= holding.deadline ? "lost" : Int.random(in: 0..<3, using: &random) == 0 ? "failed" : "ok"
        let record = RunRecord(run: holding.run, outcome: Bytes(outcome.utf8), line: Bytes("\(holding.run.info)".utf8))
        nodes[index].releases.append(
            ReleaseRequest(keys: keys, token: holding.token, guarding: true, outcome: record))
        nodes[index].holding = nil
    }

    private mutating func renew(_ holding: Holding, _ index: Int) {
        var request = RenewRequest(keys: keys, token: holding.token, change: .reset(.seconds(2)))
        request.guarding = .init(maxLockTimeout: .seconds(4))
        request.fence = holding.run.fence
        request.ledger = holding.run
        request.notAfter = serverTime + (holding.deadline - now).microseconds
        nodes[index].holding?.renewsAt = now + .milliseconds(400)
        guard isSent(.renew(request), index), let reply = try? store.renew(request, at: moment()), isHeard(index)
        else { return }
        switch reply {
        case .renewed: nodes[index].holding?.deadline = timing.deadline(sentAt: now)
        case .lost: ended(holding, index)
        case .unsettled: break
        }
    }

    private mutating func release(_ request: ReleaseRequest, _ index: Int) {
        guard isSent(.release(request), index) else { return }
        _ = store.release(request, at: serverTime)
        if isHeard(index) { nodes[index].releases.removeFirst() }
    }

    private mutating func sayFloor(_ index: Int) {
        let request = SettleRequest(
            keys: keys, guarding: .init(maxLockTimeout: .seconds(4)), floor: nodes[index].floor,
            fence: nodes[index].waiter.largestFence)
        guard isSent(.settle(request), index) else { return }
        _ = store.settle(request, at: moment())
        if isHeard(index) { nodes[index].saidFloorAt = now }
    }

    private mutating func claim(_ index: Int) {
        guard var request = nodes[index].claim?.request ?? wanted(index) else { return }
        request.guarding = .init(
            nonce: nodes[index].waiter.nonceToPresent(at: now), claim: nodes[index].waiter.claimToPresent(at: now),
            maxLockTimeout: .seconds(4))
        request.fence = .init(floor: nodes[index].waiter.largestFence)
        request.notAfter = serverTime + 300_000
        request.claim?.floor = nodes[index].floor
        let wasUnanswered = nodes[index].claim != nil
        let tries = nodes[index].claim?.tries ?? 4
        nodes[index].claim = (request, tries - 1)
        if isSent(.acquire(request), index), let reply = try? store.acquire(request, at: moment()), isHeard(index) {
            nodes[index].claim = nil
            answered(request, reply, wasUnanswered, index)
        } else if tries == 0 {
            giveUp(request, index)
        }
    }

    /// What may have been claimed by a call that ends without knowing was not begun.
    private mutating func giveUp(_ request: AcquireRequest, _ index: Int) {
        nodes[index].claim = nil
        guard let run = request.claim?.entry(fence: 0, at: 0) else { return }
        let record = RunRecord(run: run, outcome: Bytes("withdrawn".utf8), line: nil)
        nodes[index].releases.append(ReleaseRequest(keys: keys, token: request.token, guarding: true, outcome: record))
    }

    /// Whatever is open, from the oldest on; a failed or lost run up to three times.
    private mutating func wanted(_ index: Int) -> AcquireRequest? {
        let view = nodes[index].view
        let time = serverTime + Int64(index - 1) * 400_000
        var claim = LedgerClaim(
            expected: view.entry?.key, tick: time / 2_000_000 * 2, floor: 0, info: fresh())
        if let entry = view.entry {
            let isOver = entry.outcome.map { $0 == Bytes("ok".utf8) } ?? false
            if entry.attempt > 0, entry.attempt < 3, !isOver {
                (claim.tick, claim.attempt, claim.manual) = (entry.tick, entry.attempt + 1, entry.manual)
            } else if let asked = view.asked {
                (claim.tick, claim.manual) = (entry.tick, asked.id)
            } else {
                claim.tick = min(entry.tick / 2 * 2 + 2, claim.tick)
                if claim.tick <= entry.tick { return nil }
            }
        }
        var request = AcquireRequest(keys: keys, token: fresh(), tokenIsFresh: true, timeout: .seconds(2))
        request.claim = claim
        return request
    }

    private mutating func answered(
        _ request: AcquireRequest, _ reply: AcquireReply, _ wasUnanswered: Bool, _ index: Int
    ) {
        _ = nodes[index].waiter.received(reply, serverTime: serverTime, at: now, jitter: .zero)
        switch reply {
        case .granted(let grant):
            guard let claim = request.claim, let fence = grant.fence else { return }
            begin(claim.entry(fence: fence, at: serverTime), request.token, index)
        case .ledger(let view):
            nodes[index].view = view
            nodes[index].floor = max(nodes[index].floor, view.entry?.tick ?? 0)
            if wasUnanswered { giveUp(request, index) }
        case .held, .orphaned, .unsettled, .marked, .late: if wasUnanswered { giveUp(request, index) }
        }
    }

    private mutating func begin(_ run: LedgerEntry, _ token: Bytes, _ index: Int) {
        let attempt = Attempt(tick: run.tick, attempt: run.attempt, manual: run.manual)
        tell("node \(index) begins tick \(run.tick), attempt \(run.attempt), fence \(run.fence)")
        if begun[attempt] != nil { faults.append("\(attempt) is begun twice") }
        begun[attempt] = run.info
        nodes[index].floor = max(nodes[index].floor, run.tick)
        nodes[index].view.entry = run
        nodes[index].holding = Holding(
            token: token, run: run, deadline: timing.deadline(sentAt: now),
            endsAt: now + .milliseconds(Int64.random(in: 50...3000, using: &random)), renewsAt: now + .milliseconds(400)
        )
    }

    // MARK: The network

    /// Whether a request arrives now. It may be lost, or come later; but nobody is cut off for long.
    private mutating func isSent(_ request: Late, _ index: Int) -> Bool {
        if nodes[index].silence >= 3 { return true }
        switch Int.random(in: 0..<20, using: &random) {
        case 0:
            nodes[index].silence += 1
            return false
        case 1, 2:
            onTheirWay.append((now + .milliseconds(Int64.random(in: 50...4000, using: &random)), request))
            nodes[index].silence += 1
            return false
        default: return true
        }
    }

    /// Whether its answer does.
    private mutating func isHeard(_ index: Int) -> Bool {
        if nodes[index].silence < 3, chance(10) {
            nodes[index].silence += 1
            return false
        }
        nodes[index].silence = 0
        return true
    }

    private mutating func arrives(_ late: Late) {
        switch late {
        case .acquire(let request): _ = try? store.acquire(request, at: moment())
        case .renew(let request): _ = try? store.renew(request, at: moment())
        case .release(let request): _ = store.release(request, at: serverTime)
        case .settle(let request): _ = store.settle(request, at: moment())
        }
    }

    private mutating func moment() -> StoreModel.Moment { .init(time: serverTime, random: fresh()) }

    private mutating func fresh() -> Bytes {
        serial += 1
        return Bytes("\(serial)".utf8)
    }

    private mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &random) == 0 }

    private mutating func tell(_ line: String) { history.append("\(now.nanoseconds / 1_000_000) \(line)") }
}
