// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging

/// Carries a ``HandoverMachine`` out.
struct Handover: Sendable {
    let lock: LockClient
    let legacy: LockLegacy
    let logger: Logger

    /// Nil: the lock is not kept, and was given back.
    func takeOver(node: String, runID: String) async -> LockGrant? {
        let holder = HolderRecord(node: node, runID: runID, since: WallClock.rfc3339())
        return await perform(.init(legacy, successor: .init(token: Token.fresh(), holder: holder.encode())))
    }

    func giveBack() async { _ = await perform(.init(legacy, successor: nil)) }

    private func perform(_ machine: HandoverMachine) async -> LockGrant? {
        var machine = machine
        var action = machine.handle(.began, at: BootClock.now())
        while true {
            switch action {
            case .look: action = machine.handle(await look(), at: BootClock.now())
            case .swap: action = machine.handle(await swap(machine), at: BootClock.now())
            case .release(let token):
                let lock = lock
                let isAnswered = await uncancelled { (try? await lock.release(token: token)) != nil }  // one attempt
                action = machine.handle(isAnswered ? .released : .failed, at: BootClock.now())
            case .over(let grant): return grant
            }
        }
    }

    private func look() async -> HandoverMachine.Event {
        do throws(LockError) { return .looked(try await lock.look().mark) } catch { return failed(error) }
    }

    private func swap(_ machine: HandoverMachine) async -> HandoverMachine.Event {
        do throws(LockError) {
            let (reply, sentAt, time) = try await lock.renew(within: lock.policy.answerTimeout) { serverTime, now in
                machine.request(of: lock.keys, lock.policy, serverTime: serverTime, at: now)
            }
            return .answered(reply, sentAt: sentAt, granted: time)
        } catch {
            return failed(error)
        }
    }

    private func failed(_ error: LockError) -> HandoverMachine.Event {
        logger.notice("the lock is not kept for the restart", metadata: ["reason": "\(error)"])
        return .failed
    }
}
