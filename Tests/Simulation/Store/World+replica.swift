// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// A copy of the primary, on another server.
struct Replica {
    var model: StoreModel
    /// It follows a primary that was replaced.
    var followsOld = false
    /// Out of reach of the one that it follows.
    var isCut = false
}

/// Replicas that may be promoted, and a primary that was replaced and still answers.
///
/// With `store.replicas` (rule S11) a yes counts when all of them have it; without, nothing is promised but the fence.
extension World {
    /// What the server did is passed on. Nil: too few replicas have it in time, so that nobody knows.
    mutating func confirmed(_ answer: Answer) -> Answer? {
        var confirmations: Int64 = 0
        for place in replicas.indices where !replicas[place].isCut && replicas[place].followsOld == isServingOld {
            // The two of a pair are not in step.
            if scenario.replication == .exchanged, weather.happens(200) { continue }
            replicas[place].model = server.model
            confirmations += 1
        }
        let quorum = scenario.quorum
        return quorum.isNeeded && !quorum.isMet(by: confirmations) && needsReplica(answer) ? nil : answer
    }

    private func needsReplica(_ answer: Answer) -> Bool {
        switch answer {
        case .acquire(.granted), .renew(.renewed): true
        case .acquire, .renew, .release, .look, .marked, .ledger, .failure: false
        }
    }

    mutating func cutReplica() {
        guard !replicas.isEmpty else { return }
        replicas[replicas.count == 1 ? 0 : weather.below(replicas.count)].isCut = true
    }

    /// All of them have what the primary has.
    mutating func mendReplicas() {
        for place in replicas.indices where !replicas[place].followsOld {
            replicas[place] = Replica(model: server.model)
        }
    }

    // MARK: Failover

    /// A replica takes over, with what it has; some nodes have not noticed, and the old primary answers them.
    mutating func failOver(_ span: Int64) {
        guard scenario.replication == .lagging || scenario.replication == .waitedFor, oldServer == nil,
            server.condition == .up
        else { return }
        judge.saw(.failedOver)
        if scenario.replication == .lagging { fenceOnlyUntil = .max }
        oldServer = server
        processes += 1
        server.run = processes
        if scenario.replication == .lagging {
            promote(server.older)
        } else {
            promote(replicas.remove(at: replicas.count == 1 ? 0 : weather.below(replicas.count)).model)
        }
        server.step(by: weather.between(-3000, 3000))
        server.waiting = []
        for node in nodes.indices {
            nodes[node].link.isOnOld = weather.happens(500)
            if !nodes[node].link.isOnOld { breakConnection(node) }
        }
        // The others follow either. Somebody has put another in the place of the one that was promoted.
        for place in replicas.indices {
            replicas[place].followsOld = weather.happens(500)
            replicas[place].isCut = false
        }
        if scenario.replication == .waitedFor { replicas.append(Replica(model: server.model)) }
    }

    /// Who takes over with data that may be old does so under another identity.
    private mutating func promote(_ model: StoreModel) {
        server.model = model
        server.model.restart(as: nextIdentity())
        // Answers of a while ago say that some of these are given back.
        judge.revived.formUnion(scenario.jobs.compactMap { model.look(at: $0.keys, at: 0).token })
    }

    /// The old primary is gone at last.
    mutating func endFailover() {
        guard let old = oldServer else { return }
        for request in old.waiting { release(exchange: request.slot) }
        oldServer = nil
        if scenario.replication == .lagging { fenceOnlyUntil = now + 2 * scenario.longest }
        for place in replicas.indices where replicas[place].followsOld {
            replicas[place] = Replica(model: server.model)
        }
        for node in nodes.indices where nodes[node].link.isOnOld {
            nodes[node].link.isOnOld = false
            breakConnection(node)
        }
    }

    // MARK: Exchange

    /// Primary and replica change places, at once: the old primary answers nobody any more, and keeps what it has until it
    /// is in sync again. Nobody has waited for a replica, so that what takes over may be old; that is what rule S3 is for.
    mutating func exchange() {
        guard scenario.replication == .exchanged, server.condition == .up, let other = replicas.first else { return }
        judge.saw(.exchanged)
        judge.forgot = true
        replicas = [Replica(model: server.model, isCut: true)]
        swap(&server.run, &otherRun)
        promote(other.model)
        for node in nodes.indices { breakConnection(node) }
    }

    /// Which process, and which line of data since when: as `run_id` and `master_replid`.
    mutating func nextIdentity() -> Bytes {
        lives += 1
        return [server.run, lives].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    }

    // MARK: Requests

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
