// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// Random walks over messages, in any order that the world can produce, and a drain at the end: nothing is left over.
struct JobLoopWalkTests {
    @Test(arguments: 0..<300)
    func nothingRunsWithoutTheLockAndNothingIsForgotten(seed: Int) {
        var world = JobLoopWorld(seed: UInt64(seed))
        world.walk(steps: 250)
        world.endAll()
        #expect(world.faults == [], "\(world.history.suffix(30).joined(separator: "\n"))")
    }
}

/// The world around one loop: what its effects have led to so far.
private struct JobLoopWorld {
    enum Keeper {
        case launching
        case up
        /// It said that it waits.
        case ready
        /// It was told to go.
        case going
        /// The loop let it go, or nothing of it is left.
        case over
    }

    var random: SplitMix
    var loop = JobLoop(definition: JobMachineTests.definition, timing: JobMachineTests.timing, node: "n1")
    var room = RunQuota(limit: 1)
    var now = Instant(nanoseconds: 0)
    var history: [String] = []
    var faults: [String] = []
    /// Competitions that were begun, and whether they are to end.
    var elections: [Int: Bool] = [:]
    var keepers: [String: Keeper] = [:]
    /// The run that is listened to.
    var listened: String?
    /// Tokens that hold the lock, and until when at the latest.
    var tokens: [Bytes: Instant] = [:]
    /// Tokens of grants that were not given back yet.
    var kept: Set<Bytes> = []
    var renewals: [(runID: String, token: Bytes, sentAt: Instant)] = []
    var releases: [Bytes] = []
    /// Runs of which it is being seen to that nothing is left.
    var clearings: [String] = []
    var runs = 0

    init(seed: UInt64) {
        random = SplitMix(state: seed)
        hear(.begun)
    }

    mutating func walk(steps: Int) {
        for _ in 0..<steps where faults.isEmpty {
            pass(chance(3) ? 3000 : 200)
            hear(pick())
        }
    }

    /// Drains, and lets everything that is on its way arrive.
    mutating func endAll() {
        hear(.event(.drain))
        for _ in 0..<400 where faults.isEmpty && !loop.isDone {
            pass(500)
            if let answer = answers().randomElement(using: &random) { hear(answer) } else { hear(.event(.woke)) }
        }
        guard faults.isEmpty else { return }
        if !loop.isDone { faults.append("it is not done") }
        if !elections.isEmpty { faults.append("competitions \(elections.keys) go on") }
        let left = keepers.filter { $0.value != .over }.keys.filter { !clearings.contains($0) }
        if !left.isEmpty { faults.append("keepers of \(left) are left") }
        if !kept.isEmpty { faults.append("\(kept.count) grants were not given back") }
    }

    private mutating func pass(_ milliseconds: Int64) {
        now = now + .milliseconds(Int64.random(in: 0...milliseconds, using: &random))
        tokens = tokens.filter { $0.value > now }
    }

    private mutating func hear(_ message: JobLoop.Message) {
        arrive(message)
        let effects = loop.handle(message, room: &room, jitter: 0.5, at: now)
        history.append("\(now.nanoseconds / 1_000_000) \(message)")
        for effect in effects {
            if case .moved = effect { continue }
            history.append("    \(effect)")
            perform(effect)
        }
        guard loop.isDormant else { return }
        if !elections.isEmpty { faults.append("it is dormant, and competitions \(elections.keys) go on") }
        if !kept.isEmpty || loop.run != nil { faults.append("it is dormant, and has a lock or a run") }
        // What comes of it is another loop's.
        loop = JobLoop(definition: JobMachineTests.definition, timing: JobMachineTests.timing, node: "n1")
        hear(.begun)
    }

    /// What is true in the world when the loop hears of it.
    private mutating func arrive(_ message: JobLoop.Message) {
        switch message {
        case .dormant(let number): elections[number] = nil
        case .electionOver(let number, let grant, _):
            elections[number] = nil
            if let grant {
                tokens[grant.token] = grant.sentAt + .seconds(15)
                kept.insert(grant.token)
            }
        case .event(.electionFailed): if let last = elections.keys.max() { elections[last] = true }
        case .launched(let runID): keepers[runID] = .up
        case .launchFailed(let runID, _): keepers[runID] = .over
        case .keeper(let runID, .ready): keepers[runID] = .ready
        case .keeper(let runID, .ended): keepers[runID] = .over
        case .treeGone(let runID, _):
            keepers[runID] = .over
            clearings.removeAll { $0 == runID }
        case .renewed(let runID, _, _): renewals.removeAll { $0.runID == runID }
        case .event(.released): tokens[releases.removeFirst()] = nil
        case .event(.releaseFailed): releases.removeFirst()
        case .begun, .inherited, .event, .keeper, .roomChanged, .rang, .preempted: break
        }
    }

    private mutating func perform(_ effect: JobLoop.Effect) {
        switch effect {
        case .compete(let number, _): elections[number] = false
        case .withdraw:
            guard let last = elections.keys.max() else { return faults.append("nothing to withdraw from") }
            elections[last] = true
        case .giveBack(let legacy):
            tokens[legacy.record.token] = nil
            kept.remove(legacy.record.token)
        case .launch(let runID, let record):
            if tokens[record.token] == nil { faults.append("a launch without the lock") }
            if room.obstacle(to: "report") != nil { faults.append("a launch without room") }
            keepers[runID] = .launching
        case .listen(let runID): listened = runID
        case .dismiss(let runID):
            if keepers[runID] == .going { faults.append("\(runID) is dismissed under its workload") }
            keepers[runID] = .over
        case .tell(.go(let deadline)):
            guard let runID = listened, keepers[runID] == .ready else { return faults.append("go, to nobody") }
            if deadline <= now { faults.append("go after the end of the lease") }
            if keepers.values.contains(where: { $0 == .going }) { faults.append("a second workload") }
            keepers[runID] = .going
        case .clear(let runID): if !clearings.contains(runID) { clearings.append(runID) }
        case .renew(let run, _, _): renewals.append((run.runID, run.record.token, now))
        case .release(let record, _):
            if keepers.values.contains(where: { $0 == .going }) { faults.append("a release under a workload") }
            if renewals.contains(where: { $0.token == record.token }) { faults.append("a release beside a renewal") }
            releases.append(record.token)
            kept.remove(record.token)
        case .settle(let run, _):
            if keepers[run.runID] == .going { faults.append("\(run.runID) is settled under its workload") }
        case .tell, .killKeeper, .lookAtMark, .recollect, .noteFence, .wake, .moved: break
        }
    }

    // MARK: What can happen

    private mutating func chance(_ outOf: Int) -> Bool { Int.random(in: 0..<outOf, using: &random) == 0 }

    private mutating func pick() -> JobLoop.Message {
        var possible = answers()
        possible += [.event(.woke), .event(.markSeen(nil)), .rang]
        if chance(6) { possible.append(.event(.runRequested)) }
        if chance(30) { possible.append(.event(.markSeen(Mark(kind: .heldDown)))) }
        if chance(8) {
            if room.obstacle(to: "report") == nil, !room.isFull {
                _ = room.claim("another")
            } else {
                room.free("another")
            }
            possible = [.roomChanged]
        }
        return possible.randomElement(using: &random) ?? .rang
    }

    /// Answers to what was asked, ends of what was started, also out of order.
    private mutating func answers() -> [JobLoop.Message] {
        var possible: [JobLoop.Message] = []
        for (number, isToEnd) in elections.sorted(by: { $0.key < $1.key }) {
            if isToEnd { possible.append(.electionOver(number, nil, runID: "r\(runs)")) }
            if !isToEnd, chance(10) { possible.append(.event(.electionFailed("no"))) }
            if chance(10) { possible.append(.dormant(number)) }
            // A yes may be on its way to one that is to end.
            if tokens.isEmpty, !isToEnd || chance(3) { possible.append(elected(number)) }
        }
        for (runID, keeper) in keepers.sorted(by: { $0.key < $1.key }) {
            switch keeper {
            case .launching: possible += [.launched(runID: runID), .launchFailed(runID: runID, "no")]
            case .up: possible += [.keeper(runID: runID, .ready), .keeper(runID: runID, .hungUp)]
            case .ready: possible.append(.keeper(runID: runID, .hungUp))
            case .going:
                possible += [.keeper(runID: runID, .started(pid: 1)), .keeper(runID: runID, .ended(.exited(1)))]
                if chance(4) { possible.append(.keeper(runID: runID, .hungUp)) }
            case .over: if chance(10) { possible.append(.keeper(runID: runID, .hungUp)) }
            }
        }
        for runID in clearings { possible.append(.treeGone(runID: runID, chance(2) ? nil : .keeperLost)) }
        if let renewal = renewals.first {
            if let end = tokens[renewal.token] {
                tokens[renewal.token] = max(end, renewal.sentAt + .seconds(15))
                possible.append(.renewed(runID: renewal.runID, .renewed(sentAt: renewal.sentAt), nil))
            } else {
                possible.append(.renewed(runID: renewal.runID, .refused, nil))
            }
            possible.append(.renewed(runID: renewal.runID, .failed(jitter: 0.5), nil))
        }
        if !releases.isEmpty { possible += [.event(.released), .event(.releaseFailed)] }
        return possible
    }

    private mutating func elected(_ number: Int) -> JobLoop.Message {
        runs += 1
        let token = Bytes("t\(runs)".utf8)
        let grant = LockGrant(token: token, sentAt: now, fence: Int64(runs), failures: 0)
        return .electionOver(number, grant, runID: "r\(runs)")
    }
}
