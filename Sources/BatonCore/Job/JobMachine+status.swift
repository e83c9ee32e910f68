// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension JobMachine {
    /// What `status` says of a job: a word, and, where a word is not enough, why.
    package struct Description: Equatable, Sendable {
        package var state: StatusReport.State
        package var reason: String?
        /// The run on this node.
        package var run: (runID: String, pid: Int32?, fence: Int64, deadline: Instant, failures: Int)?

        package static func == (left: Description, right: Description) -> Bool {
            left.state == right.state && left.reason == right.reason && left.run?.runID == right.run?.runID
                && left.run?.pid == right.run?.pid && left.run?.fence == right.run?.fence
                && left.run?.deadline == right.run?.deadline && left.run?.failures == right.run?.failures
        }
    }

    package func describe(at now: Instant) -> Description {
        switch state {
        case .idle, .dormant: Description(state: .standby)
        case .competing(let waiting): describe(waiting, at: now)
        case .leaving(let obstacle), .crowded(let obstacle):
            Description(state: .ineligible, reason: obstacle.reason)
        case .resting(_, let refusal?): Description(state: .waitingForStore, reason: refusal)
        case .resting(let until, nil):
            Description(state: .backoff, reason: "failed here; competes again in \(seconds(until - now))")
        case .launching(let holding, _): describe(.starting, holding, pid: nil)
        case .starting(let holding): describe(.starting, holding, pid: nil)
        case .running(let holding, let pid): describe(.running, holding, pid: pid)
        case .stopping(let holding, let pid, _): describe(.stopping, holding, pid: pid)
        case .ending(let holding, let pid):
            describe(
                .stopping, holding, pid: pid,
                holding.lease.loss == .outrun
                    ? "the lease is over by the store's clock; waiting until every process is gone"
                    : "the lease is over; waiting until every process is gone")
        case .releasing(_, _, _, let retryAt):
            Description(state: .stopping, reason: retryAt == nil ? nil : "the store does not take the release")
        case .retired: Description(state: .stopping)
        }
    }

    private func describe(
        _ state: StatusReport.State, _ holding: Holding, pid: Int32?, _ reason: String? = nil
    ) -> Description {
        let deadline = holding.lease.deadline
        return Description(
            state: state, reason: reason, run: (holding.runID, pid, holding.fence, deadline, holding.failures))
    }

    private func describe(_ waiting: Waiting?, at now: Instant) -> Description {
        switch waiting {
        case nil, .held, .tick: Description(state: .standby)
        case .vanishedHolder:
            Description(state: .standby, reason: "the lock vanished without a release; its holder may still be at work")
        case .newStore(let until):
            Description(
                state: .waitingForStore,
                reason: """
                    the store is new or lost its data; leases it may have forgotten are over in \(seconds(until - now))
                    """)
        case .store(let why): Description(state: .waitingForStore, reason: why)
        case .mark(let mark):
            switch mark.kind {
            case .heldDown:
                Description(state: .heldDown, reason: "stopped on \(mark.by); `batonctl run` starts it again")
            case .paused:
                Description(state: .paused, reason: "paused on \(mark.by); `batonctl resume` ends that")
            case .runEnded:
                Description(state: .backoff, reason: "its run is being stopped, by an operator on \(mark.by)")
            case .finished: Description(state: .finished, reason: "done, by its restart policy")
            case .coolingDown:
                Description(
                    state: .backoff,
                    reason: mark.failures == 0
                        ? "restart delay"
                        : "restart delay after \(mark.failures) failed run\(mark.failures == 1 ? "" : "s in a row")")
            }
        }
    }

    private func seconds(_ duration: Duration) -> String {
        let tenths = max(0, (duration.milliseconds + 99) / 100)
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
