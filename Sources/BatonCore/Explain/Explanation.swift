// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Why a job does not run here, or that it does, who runs it, and what can be done: in sentences for people.
package struct Explanation: Codable, Equatable, Sendable {
    /// What can be done, and how.
    package struct Advice: Codable, Equatable, Sendable {
        /// As in `to let it run`.
        package var purpose: String
        /// To be typed as it is.
        package var command: String

        package init(_ purpose: String, _ command: String) {
            self.purpose = purpose
            self.command = command
        }
    }

    package var job: String
    /// The node that was asked.
    package var node: String
    /// As in `status`; `absent` where the node has no file of the job.
    package var state: String
    /// The node that runs it, where that is known.
    package var runner: String?
    /// The answer in one sentence.
    package var summary: String
    /// What else there is to know: a sentence, or a few, each.
    package var details: [String]
    package var advice: [Advice]

    /// Everything, as `batonctl explain` shows it.
    package var text: String {
        var lines = [summary] + details
        if !advice.isEmpty { lines.append("") }
        for advice in advice { lines.append("\(advice.purpose): \(advice.command)") }
        return lines.map { PrintableText.escaped($0) }.joined(separator: "\n")
    }

    package init(_ facts: ExplainFacts) {
        job = facts.job
        node = facts.node
        state = facts.state?.rawValue ?? "absent"
        runner = facts.runner
        summary = ""
        details = []
        advice = []
        tellWhy(facts)
        tellOfOtherNodes(facts)
        tellOfDivergence(facts)
        if let jump = facts.clockJump { details.append("At \(jump.when), \(jump.sentence).") }
    }

    // MARK: Why

    private mutating func tellWhy(_ facts: ExplainFacts) {
        switch facts.state {
        case .running, .starting, .stopping: tellOfTheRun(facts)
        case .standby where facts.barredBy == nil: tellOfTheLock(facts)
        case .waitingForStore: tellOfTheStore(facts)
        case .heldDown, .finished, .backoff: tellOfTheMark(facts)
        case .paused: tellOfThePause(facts)
        case .ineligible, .standby:
            if let other = facts.barredBy {
                notHere(facts, "another live batond has this node's name")
                details.append(
                    """
                    The other one's instance is \(other). Until the name is free nothing new is started here; what \
                    runs here goes on.
                    """)
                advise("to see both", "batonctl nodes")
                details.append("Give one of the two another node.name in its batond.toml, and restart it.")
            } else {
                notHere(facts, facts.reason ?? "this node is not eligible")
            }
        case .disabled:
            notHere(facts, "its job file on this node says enabled = false")
            advise("after changing that", "batonctl reload")
        case .invalid:
            notHere(facts, "its job file on this node is invalid")
            details += (facts.reason ?? "").split(separator: "\n").map(String.init)
            advise("to check it when it is mended", "batonctl check")
            advise("to have batond read it", "batonctl reload")
        case nil:
            notHere(facts, "this node has no job file of that name")
            let owners = facts.otherOwners
            if !owners.isEmpty { details.append("There is one on \(list(owners)).") }
        }
    }

    private mutating func notHere(_ facts: ExplainFacts, _ why: String) {
        summary = "\(facts.job) does not run here, on \(facts.node): \(why)."
    }

    private mutating func nowhere(_ facts: ExplainFacts, _ why: String) {
        summary = "\(facts.job) runs on no node: \(why)."
    }

    mutating func advise(_ purpose: String, _ command: String) { advice.append(Advice(purpose, command)) }

    private mutating func tellOfTheRun(_ facts: ExplainFacts) {
        guard let run = facts.run else {
            summary = "\(facts.job) has just ended here, on \(facts.node): its lock is being released."
            if let reason = facts.reason { details.append("For now: \(reason).") }
            return
        }
        switch facts.state {
        case .starting: summary = "\(facts.job) is being started here, on \(facts.node)."
        case .stopping: summary = "\(facts.job) is being stopped here, on \(facts.node)."
        default: summary = "\(facts.job) runs here, on \(facts.node)" + (run.pid.map { ", as pid \($0)" } ?? "") + "."
        }
        if let reason = facts.reason { details.append("For now: \(reason).") }
        details.append("Its run id is \(run.runID), its fence \(run.fence).")
        details.append(
            run.leaseLeft > .zero
                ? """
                Its lease lasts for another \(seconds(run.leaseLeft)); it is renewed every \(seconds(facts.timeout / 3)).
                """
                : "Its lease is over.")
        if facts.state == .running {
            advise("to see its output", "batonctl logs \(facts.job)")
            advise("to stop it, on every node", "batonctl stop \(facts.job)")
        }
    }

    private mutating func tellOfTheLock(_ facts: ExplainFacts) {
        switch facts.lock {
        case .held(let holder, _, _, _):
            notHere(facts, "it runs on \(holder)")
            advise("to stop it, on every node", "batonctl stop \(facts.job)")
        case .foreign(let left):
            notHere(facts, "a program that is not Baton holds its lock")
            details.append(
                left.map {
                    "Nothing is started before that lock is gone: in \(seconds($0)), unless it is renewed."
                } ?? "Nothing is started before that lock is gone. It has no TTL: it stays until it is deleted.")
        case .free where facts.reason == nil && facts.nextTick != nil:
            notHere(facts, "it is not due; its next tick is \(facts.nextTick ?? "")")
            advise("to see how its last runs ended", "batonctl history \(facts.job)")
            advise("to have it run now", "batonctl run \(facts.job)")
        case .free:
            let why = facts.reason ?? "nobody holds its lock just now; the nodes that may run it are competing for it"
            notHere(facts, why)
        case .unknown:
            notHere(facts, facts.runner.map { "it runs on \($0)" } ?? "the store does not say who holds its lock")
            if let trouble = facts.storeTrouble { details.append("The store can't be asked: \(trouble).") }
        }
    }

    private mutating func tellOfTheStore(_ facts: ExplainFacts) {
        if let wait = facts.newStoreWait {
            notHere(facts, "the store is new, or lost its data")
            details.append(
                """
                Runs that it no longer knows of must have ended before anything new is started: that takes another \
                \(seconds(wait)). Nothing has to be done.
                """)
        } else {
            notHere(
                facts, "the store can't be asked, or refuses: \(facts.reason ?? facts.storeTrouble ?? "no answer yet")")
            details.append("It is asked again and again. Nothing is started without its answer.")
            advise("to see how the store is", "batonctl status")
        }
    }

    private mutating func tellOfThePause(_ facts: ExplainFacts) {
        notHere(facts, "it is paused" + (facts.mark.map { ", by an operator on \($0.by)" } ?? ""))
        if let left = facts.mark?.remaining { details.append("The pause is over in \(seconds(left)).") }
        advise("to let it be started again", "batonctl resume \(facts.job)")
    }

    private mutating func tellOfTheMark(_ facts: ExplainFacts) {
        let setter = facts.mark.flatMap { $0.by.isEmpty ? nil : $0.by }
        switch (facts.state, facts.mark) {
        case (.heldDown, _):
            nowhere(facts, "it was stopped" + (setter.map { " by an operator on \($0)" } ?? " by an operator"))
            advise("to let it run", "batonctl run \(facts.job)")
        case (.finished, _):
            nowhere(facts, "it is done, by its restart policy" + (setter.map { "; its last run was on \($0)" } ?? ""))
            advise("to let it run again", "batonctl run \(facts.job)")
        case (_, let mark?) where mark.kind == .runEnded:
            nowhere(facts, "its run was stopped a moment ago" + (setter.map { ", by an operator on \($0)" } ?? ""))
            details.append("Its next tick is run as ever.")
        case (_, let mark?) where mark.kind == .coolingDown:
            let runs = mark.failures == 1 ? "its last run failed" : "its last \(mark.failures) runs failed"
            let where_ = setter.map { ", the last one on \($0)" } ?? ""
            nowhere(facts, (mark.failures == 0 ? "its last run has ended" : runs) + where_)
            let left = mark.remaining.map { "another \(seconds($0))" } ?? "a while"
            details.append("No node starts it for \(left): that is its restart delay.")
            advise("to start it now", "batonctl run \(facts.job)")
        default:
            notHere(facts, facts.reason ?? "it is waiting to be started again")
            advise("to start it now", "batonctl run \(facts.job)")
        }
    }
}
