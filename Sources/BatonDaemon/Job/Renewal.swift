// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

/// Carries a ``RenewalMachine`` out.
struct Renewal: Sendable {
    let lock: LockClient
    let machine: RenewalMachine
    let deadline: Instant

    /// - Parameter remember: writes the record to the run's folder.
    /// - Returns: what the lease makes of it, and the record if it is another now.
    func perform(
        within limit: Duration, remember: (LeaseRecord) async throws -> Void
    ) async -> (LeaseMachine.Event, LeaseRecord?) {
        var machine = machine
        var action = machine.handle(.began)
        while true {
            switch action {
            case .remember(let record):
                do {
                    try await remember(record)
                    action = machine.handle(.remembered)
                } catch {
                    action = machine.handle(.notRemembered)
                }
            case .send: action = machine.handle(await send(machine, within: limit))
            case .over(let event, let record): return (event, record)
            }
        }
    }

    private func send(_ machine: RenewalMachine, within limit: Duration) async -> RenewalMachine.Event {
        do throws(LockError) {
            let (reply, sentAt, time) = try await lock.renew(within: limit) { serverTime, now in
                machine.request(of: lock.keys, lock.policy, deadline: deadline, serverTime: serverTime, at: now)
            }
            return .answered(reply, sentAt: sentAt, granted: time)
        } catch {
            return .failed
        }
    }
}
