// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// A replica that may be promoted, and a primary that was replaced and still answers.
///
/// With `replicas = 1` (rule S11) a yes counts when the replica has it; without, nothing is promised but the fence.
extension World {
    /// What the server did is passed on. Nil: the replica does not have it in time, so that nobody knows.
    mutating func confirmed(_ answer: Answer) -> Answer? {
        guard scenario.replication == .waitedFor, !isReplicaCut, !isServingOld else {
            return scenario.replication == .waitedFor && needsReplica(answer) ? nil : answer
        }
        replica = server.model
        return answer
    }

    private func needsReplica(_ answer: Answer) -> Bool {
        switch answer {
        case .acquire(.granted), .renew(.renewed): true
        case .acquire, .renew, .release, .look, .marked, .failure: false
        }
    }

    /// The replica takes over, with what it has; some nodes have not noticed, and the old primary answers them.
    mutating func failOver(_ span: Int64) {
        guard scenario.replication != .none, oldServer == nil, server.condition == .up else { return }
        judge.saw(.failedOver)
        if scenario.replication == .lagging { fenceOnlyUntil = .max }
        oldServer = server
        // Who fails over with data that may be old does so under another identity.
        lives += 1
        server.model = scenario.replication == .lagging ? server.older : (replica ?? StoreModel(clock: .server))
        server.model.restart(as: [UInt8(truncatingIfNeeded: lives), UInt8(truncatingIfNeeded: lives >> 8)])
        server.step(by: weather.between(-3000, 3000))
        server.waiting = []
        for node in nodes.indices {
            nodes[node].link.isOnOld = weather.happens(500)
            if !nodes[node].link.isOnOld { breakConnection(node) }
        }
        // It is out of reach of the old one for good.
        isReplicaCut = false
        replica = server.model
    }

    /// The old primary is gone at last.
    mutating func endFailover() {
        guard let old = oldServer else { return }
        for request in old.waiting { release(exchange: request.slot) }
        oldServer = nil
        if scenario.replication == .lagging { fenceOnlyUntil = now + 2 * scenario.longest }
        for node in nodes.indices where nodes[node].link.isOnOld {
            nodes[node].link.isOnOld = false
            breakConnection(node)
        }
    }

    /// Runs a request on the server that it was sent to.
    mutating func onServer(of occurrence: Occurrence) {
        guard exchanges[occurrence.slot]?.isForOld == true else { return requestArrived(occurrence) }
        guard let old = oldServer else { return release(exchange: occurrence.slot) }
        let new = server
        server = old
        isServingOld = true
        requestArrived(occurrence)
        isServingOld = false
        oldServer = server
        server = new
    }
}
