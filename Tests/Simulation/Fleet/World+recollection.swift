// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// A store that lost data is told what a node remembers.
extension World {
    mutating func recollect(_ event: RecollectionMachine.Event, _ node: Int) {
        let instant = clock(node)
        guard let actions = nodes[node].daemon.recollection?.handle(event, at: instant) else { return }
        judge.figures.machineEvents += 1
        for action in actions {
            switch action {
            case .wantAll:
                let jobs = scenario.jobs.indices.filter { shell(node, $0)?.definition.schedule != nil }
                recollect(.wanted(jobs.map { scenario.jobs[$0].definition.name }), node)
            case .tell(let name): tell(of: name, node)
            case .wake(let instant):
                let truth = nodes[node].clock.truth(of: instant) + physics.between(0, 200_000)
                schedule(.recollection, at: truth, node: node, job: 0, slot: nodes[node].daemon.life)
            }
        }
    }

    private mutating func tell(of name: String, _ node: Int) {
        guard let job = scenario.jobs.firstIndex(where: { $0.definition.name == name }), let shell = shell(node, job),
            max(nodes[node].ticks[job], nodes[node].fences[job]) > 0
        else { return recollect(.told, node) }
        judge.saw(.recollected)
        let request = SettleRequest(
            keys: scenario.jobs[job].keys, guarding: shell.policy.guarding, floor: nodes[node].ticks[job],
            fence: nodes[node].fences[job])
        send(.settle(request), for: .recollection, by: shell, within: shell.policy.answerTimeout)
    }

    mutating func recollectionHeard(_ answer: Answer, _ exchange: Exchange) {
        if case .failure = answer {
            return recollect(.failed(scenario.jobs[exchange.job].definition.name), exchange.node)
        }
        recollect(.told, exchange.node)
    }
}
