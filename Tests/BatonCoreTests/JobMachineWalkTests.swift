// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// Random walks over events, in any order that the world can produce, with invariants after each step.
struct JobMachineWalkTests {
    /// The world around one machine: what its actions have led to so far.
    private struct World {
        var mayRun = false  // go was said and the end is not proved
        var holdsLock = false
        var goDeadline: Instant?
        var competing = false
        var withdrawing = false
        var isFull = false
        var next: [JobMachine.Event] = []
        var releaseSent = false
        var renewals: [Instant] = []
    }

    @Test(arguments: 0..<400)
    func atMostOneRunAndNoReleaseUnderIt(seed: Int) throws {
        var random = SplitMix(state: UInt64(seed))
        var machine = JobMachine(
            definition: JobMachineTests.definition, timing: JobMachineTests.timing, node: "n1")
        var world = World()
        var now = Instant(nanoseconds: 0)
        var history: [String] = []
        var event = JobMachine.Event.begin
        for _ in 0..<200 {
            let actions = machine.handle(event, at: now)
            history.append("\(now.nanoseconds / 1_000_000) \(event) -> \(actions)")
            apply(event, to: &world)
            // A release that can't be delivered is given up at D: the lock runs out by itself.
            if event == .releaseFailed, machine.leaseDeadline == nil {
                world.holdsLock = false
                world.releaseSent = false
            }
            for action in actions {
                switch action {
                case .compete:
                    #expect(!world.mayRun && !world.competing, "\(history.suffix(6))")
                    world.competing = true
                    // A full node begins no competition.
                    if world.isFull { world.next = [.noRoom(.full(limit: 1)), .withdrawn] }
                case .launch: #expect(world.holdsLock && !world.mayRun && !world.isFull, "\(history.suffix(6))")
                case .go(let deadline):
                    #expect(world.holdsLock && !world.mayRun && deadline > now, "\(history.suffix(6))")
                    world.mayRun = true
                    world.goDeadline = deadline
                case .extend(let deadline):
                    #expect(world.mayRun && now < world.goDeadline!, "\(history.suffix(6))")
                    #expect(deadline > world.goDeadline!, "\(history.suffix(6))")
                    world.goDeadline = deadline
                case .renew:
                    #expect(world.holdsLock && !world.releaseSent, "\(history.suffix(6))")
                    world.renewals.append(now)
                case .release:
                    #expect(!world.mayRun && world.renewals.isEmpty, "\(history.suffix(6))")
                    world.releaseSent = true
                case .handOver(let deadline):
                    #expect(world.holdsLock && !world.mayRun && !world.releaseSent, "\(history.suffix(6))")
                    #expect(deadline > now, "\(history.suffix(6))")
                    world.holdsLock = false
                case .withdraw: world.withdrawing = true
                case .retired: #expect(!world.mayRun && !world.holdsLock, "\(history.suffix(6))")
                case .abandonKeeper, .stopWorkload, .killWorkload, .settle, .wake: break
                }
            }
            now = now + .milliseconds(Int64(random.next() % 3000))
            event = pick(&random, &world, now)
        }
    }

    private func apply(_ event: JobMachine.Event, to world: inout World) {
        switch event {
        case .elected:
            world.holdsLock = true
            world.competing = false
            world.withdrawing = false
        case .withdrawn:
            world.competing = false
            world.withdrawing = false
        case .noRoom: world.isFull = true
        case .room: world.isFull = false
        case .released:
            world.holdsLock = false
            world.releaseSent = false
        case .runEnded: world.mayRun = false
        case .lease(.renewed), .lease(.failed), .lease(.refused):
            if !world.renewals.isEmpty { world.renewals.removeFirst() }
        case .electionFailed:
            world.competing = false
            world.withdrawing = false
        default: break
        }
    }

    /// Only what can happen: answers to what was asked, ends of what was started.
    private func pick(_ random: inout SplitMix, _ world: inout World, _ now: Instant) -> JobMachine.Event {
        if !world.next.isEmpty { return world.next.removeFirst() }
        var possible: [JobMachine.Event] = [.woke, .woke, .markSeen(nil), .runRequested]
        if random.next() % 40 == 0 { possible += [.markSeen(Mark(kind: .heldDown))] }
        if random.next() % 60 == 0 { possible += [.drain] }
        if random.next() % 60 == 0 { possible += [.replaced] }
        if random.next() % 60 == 0 { possible += [.superseded(JobMachineTests.definition.restart)] }
        if random.next() % 10 == 0 { possible += [.noRoom(.full(limit: 1)), .room] }
        if world.withdrawing { possible += [.withdrawn, .withdrawn] }
        if world.competing {
            let sentAt = now - .milliseconds(Int64(random.next() % 16_000))
            possible += [
                .elected(runID: "r", fence: 1, failures: 0, sentAt: sentAt), .waiting(.held), .electionFailed("x"),
            ]
        }
        if let sentAt = world.renewals.first {
            possible += [.lease(.renewed(sentAt: sentAt)), .lease(.failed(jitter: 0.3)), .lease(.refused)]
        }
        if world.holdsLock, !world.releaseSent {
            possible += [.keeperReady]
            if world.mayRun { possible += [.workloadStarted(pid: 1)] }
            if random.next() % 8 == 0 { possible += [.runEnded(.exited(1), jitter: 0.5)] }
        }
        if world.releaseSent { possible += [.released, .released, .releaseFailed] }
        return possible[Int(random.next() % UInt64(possible.count))]
    }
}
