// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What is known on one node about one job, at one moment: everything that an ``Explanation`` is made of.
package struct ExplainFacts: Equatable, Sendable {
    /// Who holds the job's lock.
    package enum Lock: Equatable, Sendable {
        /// The store did not say.
        case unknown
        case free
        /// `left`: of its TTL; nil: it has none.
        case held(node: String, since: String, fence: Int64, left: Duration?)
        /// By something that is not Baton, or does not say who it is.
        case foreign(left: Duration?)
    }

    /// The run on this node.
    package struct Run: Equatable, Sendable {
        package var runID: String
        package var pid: Int32?
        package var fence: Int64
        /// What is left of the lease; not more than zero: it is over.
        package var leaseLeft: Duration

        package init(runID: String, pid: Int32?, fence: Int64, leaseLeft: Duration) {
            self.runID = runID
            self.pid = pid
            self.fence = fence
            self.leaseLeft = leaseLeft
        }
    }

    package var node: String
    package var job: String
    /// Nil: this node has no file of that job.
    package var state: StatusReport.State?
    /// What `status` says beside the state; of an invalid file, what is wrong with it, a line for each.
    package var reason: String?
    package var run: Run?
    /// T.
    package var timeout: Duration
    package var lock = Lock.unknown
    package var mark: Mark?
    /// Of a job that has a schedule, when it is due next. RFC 3339.
    package var nextTick: String?
    /// The store can't be asked, and why.
    package var storeTrouble: String?
    /// The store is new, or lost its data: for so much longer nobody is elected.
    package var newStoreWait: Duration?
    /// The store's clock went ahead of this node's not long ago.
    package var clockJump: ClockJump?
    /// The instance of the other live daemon that has this node's name.
    package var barredBy: String?
    /// What the live nodes say of themselves, this one among them; empty when the store did not say.
    package var nodes: [NodeRecord] = []

    package init(node: String, job: String, state: StatusReport.State?, timeout: Duration) {
        self.node = node
        self.job = job
        self.state = state
        self.timeout = timeout
    }

    /// Who runs it, as far as anybody knows: the lock's word counts before the nodes' own.
    var runner: String? {
        switch lock {
        case .held(let holder, _, _, _): holder
        case .unknown: nodes.first { $0.job(job)?.standing == .running }?.node
        case .free, .foreign: nil
        }
    }

    /// The other nodes that would take over, by name.
    var otherStandbys: [String] {
        nodes.filter { $0.node != node && $0.job(job)?.standing == .standby }.map(\.node).sorted()
    }

    /// The other nodes that have the job at all, by name.
    var otherOwners: [String] { nodes.filter { $0.node != node && $0.job(job) != nil }.map(\.node).sorted() }
}
