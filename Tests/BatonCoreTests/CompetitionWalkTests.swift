// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// Competitions against the model of a store, over a network that loses and delays, with a store that forgets.
struct CompetitionWalkTests {
    /// How a lock is asked for, and what can happen to it.
    enum Kind: CaseIterable {
        /// As the library asks by default.
        case plain
        /// As the daemon asks; the store loses locks, or all it knows.
        case guarded
        /// The lock never runs out by itself.
        case everlasting
    }

    @Test(arguments: Kind.allCases, 0..<40)
    func atMostOneHolderAndNothingLeftBehind(kind: Kind, seed: Int) {
        let end = Instant(nanoseconds: 60_000_000_000)
        var world = CompetitionWorld(kind, seed: UInt64(seed))
        world.run(until: end)
        if world.faults.isEmpty, world.grants > 0 { return }
        // The same again, written down.
        var witness = CompetitionWorld(kind, seed: UInt64(seed))
        witness.isTold = true
        witness.run(until: end)
        Issue.record("\(world.faults), \(world.grants) grants: \(witness.history.suffix(40).joined(separator: "\n"))")
    }
}

/// A store, some competitors for one lock, and the messages between them.
private struct CompetitionWorld {
    /// Something that happens to a competitor, or at the store.
    enum Happening {
        case begins(Int)
        /// Its alarm of this number goes off.
        case wakes(Int, alarm: Int)
        /// A release is announced.
        case rings(Int)
        case cancels(Int, call: Int)
        case requestArrives(Int, call: Int, AcquireRequest, sentAt: Instant)
        case replyArrives(Int, call: Int, AcquireReply, serverTime: Int64, sentAt: Instant)
        case patienceEnds(Int, call: Int, sentAt: Instant)
        case releaseArrives(Int, call: Int, Bytes, sentAt: Instant)
        case releaseIsAnswered(Int, call: Int, sentAt: Instant)
        case storeForgets(everything: Bool)
    }

    struct Competitor {
        var waiter: WaitMachine
        var machine: CompetitionMachine?
        var withdrawal: WithdrawalMachine?
        /// Each call has another number: what came for an earlier one is not heard.
        var call = 0
        /// The request that is waited for.
        var awaits: Instant?
        var holdsUntil: Instant?
        /// The alarm that is set.
        var alarm: Int?
        var hearsBells = false
        var token = Bytes()
    }

    let kind: CompetitionWalkTests.Kind
    let policy: LockPolicy
    let keys = LockKeys(name: Bytes("lock".utf8))
    var random: SplitMix
    var store = StoreModel(clock: .server, identity: Bytes("one".utf8))
    var competitors: [Competitor]
    var agenda: [(at: Instant, number: Int, what: Happening)] = []
    var number = 0
    var now = Instant(nanoseconds: 0)
    var grants = 0
    var lastFence: Int64 = 0
    /// Tokens that must not hold the lock any more.
    var dead: Set<Bytes> = []
    var faults: [String] = []
    /// Whether the history is written down, which takes more time than all else.
    var isTold = false
    var history: [String] = []

    init(_ kind: CompetitionWalkTests.Kind, seed: UInt64) {
        self.kind = kind
        random = SplitMix(state: seed)
        policy = LockPolicy(
            timing: LeaseTiming(timeout: .seconds(2), killLatency: .zero, requestTimeout: .milliseconds(200)),
            expires: kind != .everlasting, guarding: kind == .guarded ? .init(maxLockTimeout: .seconds(3)) : nil,
            fences: true, heedsMarks: false)
        competitors = (0..<3).map { _ in
            Competitor(waiter: WaitMachine(timeout: .seconds(2), maxLockTimeout: .seconds(3)))
        }
        for index in competitors.indices { plan(.begins(index), in: 0...2000) }
        if kind == .guarded {
            for _ in 0..<4 { plan(.storeForgets(everything: Bool.random(using: &random)), in: 0...50_000) }
        }
    }

    mutating func run(until end: Instant) {
        while let next = agenda.min(by: { ($0.at, $0.number) < ($1.at, $1.number) }), next.at < end, faults.isEmpty {
            agenda.removeAll { $0.number == next.number }
            now = next.at
            tell { "\($0.now.nanoseconds / 1_000_000) \(next.what)" }
            happen(next.what)
            check()
        }
    }

    private mutating func tell(_ line: (CompetitionWorld) -> String) {
        if isTold { history.append(line(self)) }
    }

    private mutating func happen(_ what: Happening) {
        switch what {
        case .begins(let index): begin(index)
        case .wakes(let index, let alarm):
            guard competitors[index].alarm == alarm else { return }
            competitors[index].alarm = nil
            competitors[index].hearsBells = false
            if competitors[index].withdrawal != nil {
                withdraw(competitors[index].holdsUntil == nil ? .woke : .began, index, competitors[index].call)
            } else {
                compete(.woke, index, competitors[index].call)
            }
        case .rings(let index):
            guard competitors[index].hearsBells else { return }
            competitors[index].alarm = nil
            competitors[index].hearsBells = false
            compete(.woke, index, competitors[index].call)
        case .cancels(let index, let call):
            guard competitors[index].call == call, competitors[index].machine != nil else { return }
            competitors[index].awaits = nil
            competitors[index].alarm = nil
            competitors[index].hearsBells = false
            compete(.cancelled, index, call)
        case .requestArrives(let index, let call, let request, let sentAt):
            guard let reply = try? store.acquire(request, at: moment()) else { return }
            let time = serverTime
            send(.replyArrives(index, call: call, reply, serverTime: time, sentAt: sentAt))
        case .replyArrives(let index, let call, let reply, let serverTime, let sentAt):
            guard competitors[index].call == call, competitors[index].awaits == sentAt else { return }
            competitors[index].awaits = nil
            let jitter = Duration.milliseconds(Int64.random(in: 0...12, using: &random))
            compete(.answered(reply, serverTime: serverTime, sentAt: sentAt, jitter: jitter), index, call)
        case .patienceEnds(let index, let call, let sentAt):
            guard competitors[index].call == call, competitors[index].awaits == sentAt else { return }
            competitors[index].awaits = nil
            if competitors[index].withdrawal != nil {
                withdraw(.releaseFailed, index, call)
            } else {
                compete(.failed(.unanswered, jitter: 0.5), index, call)
            }
        case .releaseArrives(let index, let call, let token, let sentAt):
            _ = store.release(ReleaseRequest(keys: keys, token: token, guarding: kind == .guarded), at: serverTime)
            for other in competitors.indices { plan(.rings(other), in: 1...3) }
            send(.releaseIsAnswered(index, call: call, sentAt: sentAt))
        case .releaseIsAnswered(let index, let call, let sentAt):
            guard competitors[index].call == call, competitors[index].awaits == sentAt else { return }
            competitors[index].awaits = nil
            withdraw(.released, index, call)
        case .storeForgets(let everything):
            if everything { store.forgetEverything() } else { store.forgetLock(keys) }
        }
    }

    // MARK: A competitor

    private mutating func begin(_ index: Int) {
        competitors[index].call += 1
        competitors[index].withdrawal = nil
        competitors[index].holdsUntil = nil
        competitors[index].alarm = nil
        let call = competitors[index].call
        let token = Bytes("\(index)-\(call)".utf8)
        competitors[index].token = token
        competitors[index].machine = CompetitionMachine(
            keys: keys, policy: policy, token: token,
            longestWait: Bool.random(using: &random) ? .milliseconds(100) : nil,
            handicap: index == 0 && Bool.random(using: &random) ? .milliseconds(50) : .zero)
        if Int.random(in: 0..<4, using: &random) == 0 { plan(.cancels(index, call: call), in: 0...4000) }
        let time = Bool.random(using: &random) ? now + .milliseconds(Int64.random(in: 0...5000, using: &random)) : nil
        compete(.began(until: time), index, call)
    }

    private mutating func compete(_ event: CompetitionMachine.Event, _ index: Int, _ call: Int) {
        guard competitors[index].call == call, var machine = competitors[index].machine else { return }
        let action = machine.handle(event, &competitors[index].waiter, serverTime: serverTime, at: now)
        competitors[index].machine = machine
        tell { _ in "  \(index): \(action)" }
        switch action {
        case .wait(let until):
            setAlarm(index, at: until)
            competitors[index].hearsBells = true
        case .pause(let until): setAlarm(index, at: until)
        case .look: faults.append("the time is known")
        case .ask:
            request(.requestArrives(index, call: call, machine.request, sentAt: now), index, call)
            // Also while the store is being asked.
            if Int.random(in: 0..<8, using: &random) == 0 { plan(.cancels(index, call: call), in: 0...20) }
        case .over(let ending):
            competitors[index].machine = nil
            if case .granted(let grant) = ending {
                hold(grant, index)
            } else if let withdrawal = machine.withdrawal(at: now) {
                competitors[index].withdrawal = withdrawal
                withdraw(.began, index, call)
            } else {
                end(index, isClean: true)
            }
        }
    }

    private mutating func hold(_ grant: LockGrant, _ index: Int) {
        grants += 1
        if let fence = grant.fence {
            if fence <= lastFence { faults.append("fence \(fence) after \(lastFence)") }
            lastFence = fence
        }
        let deadline = policy.expires ? policy.timing.deadline(sentAt: grant.sentAt) : .distantFuture
        let end = min(deadline, now + .milliseconds(Int64.random(in: 0...1900, using: &random)))
        competitors[index].holdsUntil = end
        if end == deadline, end != .distantFuture {
            plan(.begins(index), at: end + .milliseconds(300))
        } else {
            // Given back, with all the patience that it takes.
            competitors[index].withdrawal = WithdrawalMachine(
                Doubt(token: grant.token, tokenIsFresh: true), voidAt: nil, patience: .seconds(10), now: end)
            setAlarm(index, at: end)
        }
    }

    private mutating func withdraw(_ event: WithdrawalMachine.Event, _ index: Int, _ call: Int) {
        guard competitors[index].call == call, var withdrawal = competitors[index].withdrawal else { return }
        competitors[index].holdsUntil = nil
        competitors[index].call += 1
        let call = competitors[index].call
        let action = withdrawal.handle(event, at: now)
        competitors[index].withdrawal = withdrawal
        tell { _ in "  \(index): \(action)" }
        switch action {
        case .release:
            request(.releaseArrives(index, call: call, withdrawal.doubt.token, sentAt: now), index, call)
        case .pause(let until): setAlarm(index, at: until)
        case .over(let doubt): end(index, isClean: doubt == nil)
        }
    }

    private mutating func setAlarm(_ index: Int, at instant: Instant) {
        plan(.wakes(index, alarm: number + 1), at: instant)
        competitors[index].alarm = number
    }

    private mutating func end(_ index: Int, isClean: Bool) {
        if isClean { dead.insert(competitors[index].token) }
        competitors[index].call += 1
        competitors[index].withdrawal = nil
        plan(.begins(index), in: 0...1000)
    }

    // MARK: The rules of the world

    /// A server in this world is an hour ahead.
    private var serverTime: Int64 { now.nanoseconds / 1000 + 3_600_000_000 }

    private mutating func moment() -> StoreModel.Moment {
        number += 1
        return .init(time: serverTime, random: Bytes("\(number)".utf8))
    }

    private mutating func check() {
        let holders = competitors.indices.filter { competitors[$0].holdsUntil.map { now < $0 } ?? false }
        if holders.count > 1 { faults.append("\(holders) hold the lock") }
        if let token = store.look(at: keys, at: serverTime).token, dead.contains(token) {
            faults.append("\(String(decoding: token, as: UTF8.self)) holds the lock after its end")
        }
    }

    private mutating func plan(_ what: Happening, at instant: Instant) {
        number += 1
        agenda.append((max(instant, now), number, what))
    }

    private mutating func plan(_ what: Happening, in range: ClosedRange<Int64>) {
        plan(what, at: now + .milliseconds(Int64.random(in: range, using: &random)))
    }

    private mutating func request(_ what: Happening, _ index: Int, _ call: Int) {
        competitors[index].awaits = now
        plan(.patienceEnds(index, call: call, sentAt: now), at: now + .milliseconds(200))
        send(what)
    }

    /// Over the network.
    private mutating func send(_ what: Happening) {
        switch Int.random(in: 0..<20, using: &random) {
        case 0, 1: return
        case 2, 3: plan(what, in: 20...1500)
        default: plan(what, in: 1...20)
        }
    }
}
