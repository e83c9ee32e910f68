// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging

/// What each action of the machine means in the world. None of them waits.
extension JobShell {
    mutating func perform(_ action: JobMachine.Action, _ group: inout DiscardingTaskGroup) {
        switch action {
        case .compete: competeIfThereIsRoom(&group)
        case .withdraw: election?.withdrawal.ring()
        case .launch: launch(&group)
        case .abandonKeeper: abandonKeeper(&group)
        case .go(let deadline): run?.link?.send(.go(deadline: deadline))
        case .extend(let deadline): run?.link?.send(.extend(deadline: deadline))
        case .stopWorkload: run?.link?.send(.stop)
        case .killWorkload: kill(&group)
        case .renew(let limit): renew(within: limit, &group)
        case .release(let mark): release(mark, &group)
        case .handOver(let deadline): legacy = run.map { LockLegacy(record: $0.record, deadline: deadline) }
        case .settle(let outcome): settle(outcome, &group)
        case .wake(let instant): alarm.set(instant, runner, &group)
        case .retired: break
        }
    }

    private mutating func competeIfThereIsRoom(_ group: inout DiscardingTaskGroup) {
        guard let obstacle else { return compete(&group) }
        // Nothing was begun that would have to be waited for.
        run = nil
        runner.send(.noRoom(obstacle))
        runner.send(.withdrawn)
    }

    private mutating func compete(_ group: inout DiscardingTaskGroup) {
        let runID = RunID.fresh()
        let withdrawal = Doorbell()
        election = (runID, withdrawal)
        run = nil
        let (runner, lock, bell, node) = (runner, lock, competition, context.name)
        let floor = context.fences.largest(of: definition.name)
        let (legacy, logger) = (inheritLock(), logger)
        let handicap = definition.placement.handicap(of: context.profile)
        group.addTask {
            await withTaskGroup(of: LockGrant?.self) { inner in
                inner.addTask {
                    let handover = legacy.map { Handover(lock: lock, legacy: $0, logger: logger) }
                    if let grant = await handover?.takeOver(node: node, runID: runID) {
                        return grant
                    }
                    do {
                        return try await Contender(
                            lock, handicap: handicap, waiter: Waiter(lock.policy, fence: floor),
                            holder: { HolderRecord(node: node, runID: runID, since: WallClock.rfc3339()).encode() },
                            tell: { runner.tell($0) }
                        ).compete(until: nil, bell: bell)
                    } catch let error as LockError {
                        runner.send(.electionFailed(error.message))
                    } catch {}  // cancelled: nothing was left behind
                    return nil
                }
                inner.addTask {
                    await withdrawal.wait(until: .distantFuture)
                    return nil
                }
                let first = await inner.next() ?? nil
                inner.cancelAll()
                // The other one has nothing to add, and a grant is not kept waiting until it has noticed.
                if let first { runner.send(.electionOver(first, runID: runID)) }
                let second = await inner.next() ?? nil
                if first == nil { runner.send(.electionOver(second, runID: runID)) }
            }
        }
    }

    private mutating func launch(_ group: inout DiscardingTaskGroup) {
        guard let run else { return }
        launches += 1
        let (runner, runs, definition, node) = (runner, context.runs, definition, context.name)
        group.addTask {
            do {
                let link = try await runs.launch(definition, runID: run.runID, record: run.record, node: node)
                runner.send(.launched(runID: run.runID, .success(link)))
            } catch {
                runner.send(.launched(runID: run.runID, .failure(error)))
            }
        }
    }

    func listen(to link: KeeperLink, runID: String, _ group: inout DiscardingTaskGroup) {
        let runner = runner
        group.addTask {
            for await event in link.events {
                switch event {
                case .report(let report): runner.send(.keeper(runID: runID, report))
                case .disconnected, .keeperDied: runner.send(.keeper(runID: runID, nil))
                }
            }
        }
    }

    /// A keeper that was not told to go exits when its connection ends. One that is still being launched is let go of
    /// when it is up.
    private mutating func abandonKeeper(_ group: inout DiscardingTaskGroup) {
        run?.isAbandoned = true
        guard let abandoned = run, let link = abandoned.link else { return }
        link.close()
        run?.link = nil
        discard(abandoned.runID, &group)
    }

    /// Clears away what a run left behind that never ran.
    func discard(_ runID: String, _ group: inout DiscardingTaskGroup) {
        let (runs, job) = (context.runs, definition.name)
        group.addTask {
            await uncancelled { await runs.discard(job: job, runID: runID) }
        }
    }

    /// At the end of a lease: through the keeper, and without it.
    private func kill(_ group: inout DiscardingTaskGroup) {
        guard let run else { return }
        run.link?.send(.kill)
        clear(run, &group)
    }

    /// Kills whatever is left of a run, and tells the loop when nothing is.
    func clear(_ run: ActiveRun, _ group: inout DiscardingTaskGroup) {
        let (runner, runs) = (runner, context.runs)
        group.addTask {
            let end = await runs.clear(job: runner.definition.name, runID: run.runID)
            runner.send(.treeGone(runID: run.runID, end))
        }
    }

    private func renew(within limit: Duration, _ group: inout DiscardingTaskGroup) {
        guard let run, let deadline = machine.leaseDeadline else { return }
        let (runner, lock, runs, node) = (runner, lock, context.runs, context.name)
        let renewal = Renewal(
            lock: lock,
            machine: RenewalMachine(
                run.record, isInherited: run.isInherited, fresh: Token.fresh(),
                holder: HolderRecord(node: node, runID: run.runID, since: run.since).encode(),
                jitter: .random(in: 0..<1)),
            deadline: deadline)
        group.addTask {
            let (event, record) = await renewal.perform(within: limit) { record in
                try await runs.remember(record, job: runner.definition.name, runID: run.runID)
            }
            if let record { runner.send(.tookOver(runID: run.runID, record)) }
            runner.send(.lease(event))
        }
    }

    private func release(_ mark: Mark?, _ group: inout DiscardingTaskGroup) {
        guard let run else { return runner.send(.released) }
        let (runner, lock, logger) = (runner, lock, logger)
        group.addTask {
            var machine = ReleaseMachine(run.record)
            var action = machine.handle(.began)
            while case .release(let token) = action {
                do throws(LockError) {
                    action = machine.handle(.answered(wasOurs: try await lock.release(token: token, mark: mark)))
                } catch {
                    logger.log(
                        level: .notice, "release failed", event: .releaseFailed, metadata: ["reason": "\(error)"])
                    action = machine.handle(.failed)
                }
            }
            runner.send(action == .over(isReleased: true) ? .released : .releaseFailed)
        }
    }

    private mutating func settle(_ outcome: RunOutcome, _ group: inout DiscardingTaskGroup) {
        guard let run else { return }
        run.link?.send(.ack)
        lastRun = StatusReport.LastRun(run: run.runID, outcome: outcome, node: context.name)
        logger.log(
            level: outcome.isFailure ? .warning : .info, "run ended", event: outcome.event,
            metadata: [
                "run": "\(run.runID)", "fence": "\(run.record.fence)", "outcome": "\(outcome.word)",
                "detail": "\(outcome.detail)",
            ])
        let (runs, job) = (context.runs, definition.name)
        // Also while the daemon stops: what is left in the run folder would be taken for a run of an earlier daemon.
        group.addTask { await uncancelled { await runs.archive(job: job, runID: run.runID) } }
    }

    /// The mark beside a lock that we hold may have changed: an operator stops the job from another node.
    func lookAtMark(_ group: inout DiscardingTaskGroup) {
        let (runner, lock) = (runner, lock)
        group.addTask {
            for _ in 0..<5 where !Task.isCancelled {
                do throws(LockError) {
                    runner.send(.markSeen(try await lock.look().mark))
                    return
                } catch {
                    // The bell rings again after a reconnect; this is for an answer that was merely late.
                    try? await BootClock.sleep(until: BootClock.now() + .milliseconds(200))
                }
            }
        }
    }
}

extension JobRunner {
    /// What a competition says while it waits, in the machine's words.
    fileprivate func tell(_ waiting: Waiting) {
        switch waiting {
        case .store(let error): send(.waiting(.store(error.message)))
        case .lock(let reason, let sighting):
            if let fence = sighting?.fence { context.fences.saw(fence, of: definition.name) }
            switch reason {
            case .held: send(.waiting(.held))
            case .orphaned: send(.waiting(.vanishedHolder))
            case .unsettled(let until): send(.waiting(.newStore(until: until)))
            case .marked(let mark): send(.waiting(.mark(mark)))
            case .late: break  // asked again at once
            }
        }
    }
}
