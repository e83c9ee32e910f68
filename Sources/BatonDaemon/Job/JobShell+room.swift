// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The job's share of the node's room for runs.
extension JobShell {
    /// What keeps the job from competing here; nil: nothing.
    var obstacle: RunQuota.Obstacle? { context.room.obstacle(to: definition.name) }

    /// Gives the room back when no run of the job needs it any more. A lock that one loop hands on to the next keeps it,
    /// until the next one has it or has begun to compete as everybody does.
    mutating func keepRoom(after event: JobMachine.Event) {
        switch event {
        case .elected, .waiting, .electionFailed, .withdrawn: awaitsHandedLock = false
        default: break
        }
        if !machine.takesRoom, legacy == nil, !awaitsHandedLock { context.room.free(definition.name) }
        // There may be room again since it was said that there is none.
        if machine.isCrowded, obstacle == nil { runner.send(.roomChanged) }
    }
}
