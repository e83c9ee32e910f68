// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

/// Replicas: a yes that they might not know is none (rule S11).
extension ValkeyStore {
    var quorum: ReplicaQuorum { ReplicaQuorum(replicas: configuration.replicas) }

    /// What follows a request for a grant or a renewal, in the same round trip; nil: nothing.
    ///
    /// It waits for all that this connection wrote so far.
    func confirmation(within timeout: Duration) -> Command? {
        guard quorum.isNeeded else { return nil }
        var command = Command()
        command.append("WAIT")
        command.append(Int64(quorum.replicas))
        command.append(ScriptCall.milliseconds(quorum.patience(within: timeout)))
        return command
    }

    /// Whether a yes among these replies counts; the last one is the confirmation's.
    ///
    /// - Throws: `unknownOutcome`: the server has done it, and may forget it in a failover.
    func checkConfirmed(_ replies: [Reply]) throws(LockError) {
        guard quorum.isNeeded, replies.first?.isYes == true else { return }
        switch replies.last {
        case .integer(let count)?:
            let isMet = quorum.isMet(by: count)
            replicasConfirmed(isMet ? nil : count)
            if !isMet {
                throw LockError(
                    .unknownOutcome,
                    "\(configuration.peer) did it, but only \(count) of \(quorum.replicas) replicas have confirmed it")
            }
        case .error(let message)?:
            throw LockError(
                .unknownOutcome,
                "\(configuration.peer) did it, but does not wait for its replicas: \(ServerError(message).message)")
        default: throw nonsense()
        }
    }
}

extension Reply {
    /// Whether a lock was granted or renewed: as a script has it, or the plain `SET`.
    var isYes: Bool {
        switch self {
        case .string: true
        case .array(let parts): parts.first?.text == "granted" || parts.first?.text == "renewed"
        case .null, .integer, .error: false
        }
    }
}
