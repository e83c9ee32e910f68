// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore

/// What the control socket asks of the daemon. The HTTP side knows nothing else of it.
package protocol ControlBackend: Sendable {
    /// The node and its jobs; with a name, only that job.
    func status(job: String?) async throws(ControlError) -> StatusReport
    /// The tail of a job's output: of the run on this node, else of the last one that ran here.
    func logs(job: String) async throws(ControlError) -> RecentOutput
    /// The last lines of a job's output, and what comes from then on, run after run.
    func follow(job: String, lines: Int) async throws(ControlError) -> any FollowedOutput
    /// Stops a job, wherever it runs, and holds it down; of one with a schedule, only its run. Returns when the mark is set.
    func stop(job: String) async throws(ControlError) -> StopReport
    /// Has nothing new of a job started, fleet-wide; what runs goes on. Nil: until `resume`.
    func pause(job: String, for duration: Duration?) async throws(ControlError)
    /// Ends a pause.
    func resume(job: String) async throws(ControlError)
    /// Clears the marks of a job, so that it runs again, and asks for a run of a scheduled one. Returns when the store has it.
    ///
    /// - Parameter endsWanted: whether the run's end is waited for: an error for a job that is kept running.
    /// - Returns: the request for the run; nil for a job that is kept running.
    func run(job: String, endsWanted: Bool) async throws(ControlError) -> Int64?
    /// What has become of a request for a run.
    func request(_ id: Int64, of job: String) async throws(ControlError) -> RequestReport
    /// The last runs of a scheduled job, wherever they were.
    func history(job: String, limit: Int) async throws(ControlError) -> HistoryReport
    /// The next ticks of a scheduled job.
    func next(job: String, count: Int) async throws(ControlError) -> NextReport
    /// Takes the node's files over as they are now. Returns when they count.
    func reload() async throws(ControlError) -> ReloadReport
    /// What `reload()` would do.
    func difference() async throws(ControlError) -> ReloadReport
    /// Every live node of the fleet.
    func nodes() async throws(ControlError) -> NodesReport
    /// Why a job runs here, or does not.
    func explain(job: String) async throws(ControlError) -> Explanation
    /// What happened on this node.
    var events: EventLog { get }
    /// Makes sure that the program on the disk can take this one's place, with the files as they are now.
    func prepareReplacement() async throws(ControlError)
    /// Has it do so.
    func replace()
}

/// Why a request on the control socket was not carried out.
package enum ControlError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No job of this name, but perhaps one that was meant.
    case unknownJob(String, nearest: String? = nil)
    /// It can't be done, and why.
    case failed(String)
    /// The store does not answer.
    case storeUnreachable(String)
    /// The files have errors, so that nothing was changed.
    case badFiles(ReloadRefusal)
    /// The node stops.
    case draining

    /// As the answer and the log have it.
    package var description: String {
        switch self {
        case .unknownJob(let job, let nearest):
            "no job \"\(job)\" on this node" + (nearest.map { "; did you mean \"\($0)\"?" } ?? "")
        case .failed(let reason), .storeUnreachable(let reason): reason
        case .badFiles(let refusal): refusal.error
        case .draining: "this batond is stopping"
        }
    }
}
