// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What `batonctl status --json` prints, and the control socket answers. Scripts depend on its form.
package struct StatusReport: Codable, Equatable, Sendable {
    package var node: String
    package var instance: String
    package var version: String
    package var store: Store
    package var jobs: [Job]
    /// What an operator should know: a store that may evict, a keeper without real-time priority, …
    package var warnings: [String]

    package struct Store: Codable, Equatable, Sendable {
        package var url: String
        /// `connected`, `connecting`, `unreachable: REASON`.
        package var state: String
        /// How many replicas confirm each grant and renewal before it counts; absent: none is waited for.
        package var replicas: Int?

        package init(url: String, state: String, replicas: Int? = nil) {
            self.url = url
            self.state = state
            self.replicas = replicas
        }
    }

    package struct Job: Codable, Equatable, Sendable {
        package var name: String
        package var description: String
        /// `service`, or `scheduled`.
        package var kind: String
        package var state: State
        /// Why it is in this state, where a word is not enough.
        package var reason: String?
        package var holder: Holder?
        package var run: Run?
        /// The last run on this node.
        package var lastRun: LastRun?
        /// Of a scheduled job: the first tick whose run is still to come. RFC 3339, UTC.
        package var nextTick: String?
        /// Of a scheduled job, while the store answers.
        package var ledger: LedgerReport?

        package init(name: String, description: String = "", kind: String = "service", state: State) {
            self.name = name
            self.description = description
            self.kind = kind
            self.state = state
        }

        enum CodingKeys: String, CodingKey {
            case name, description, kind, state, reason, holder, run, ledger
            case lastRun = "last_run"
            case nextTick = "next_tick"
        }
    }

    package enum State: String, Codable, Equatable, Sendable, CaseIterable {
        case running, standby, starting, stopping, backoff, paused, disabled, ineligible, invalid
        case waitingForStore = "waiting-for-store"
        case heldDown = "held-down"
        case finished
    }

    /// Who holds the job's lock, read from the live lock.
    package struct Holder: Codable, Equatable, Sendable {
        package var node: String
        package var runID: String
        package var fence: Int64
        /// RFC 3339, UTC.
        package var since: String

        package init(node: String, runID: String, fence: Int64, since: String) {
            self.node = node
            self.runID = runID
            self.fence = fence
            self.since = since
        }

        enum CodingKeys: String, CodingKey {
            case node, fence, since
            case runID = "run_id"
        }
    }

    /// The run on this node.
    package struct Run: Codable, Equatable, Sendable {
        package var runID: String
        package var pid: Int32?
        package var leaseUntilMilliseconds: Int64
        package var attempt: Int
        /// Of a workload with `run.notify`: whether it said that it is ready, and its last `STATUS=`.
        package var isReady: Bool?
        package var status: String?

        package init(runID: String, pid: Int32?, leaseUntilMilliseconds: Int64, attempt: Int) {
            self.runID = runID
            self.pid = pid
            self.leaseUntilMilliseconds = leaseUntilMilliseconds
            self.attempt = attempt
        }

        enum CodingKeys: String, CodingKey {
            case pid, attempt, status
            case isReady = "ready"
            case runID = "run_id"
            case leaseUntilMilliseconds = "lease_until_ms"
        }
    }

    /// How the last run on this node ended.
    package struct LastRun: Codable, Equatable, Sendable {
        package var runID: String
        /// `succeeded`, `failed`, `timeout`, `lost`, `stopped`.
        package var outcome: String
        package var exitCode: Int32?
        package var signal: Int32?
        package var reason: String?
        package var node: String
        package var finished: String

        package init(
            runID: String, outcome: String, exitCode: Int32?, signal: Int32?, reason: String?, node: String,
            finished: String
        ) {
            self.runID = runID
            self.outcome = outcome
            self.exitCode = exitCode
            self.signal = signal
            self.reason = reason
            self.node = node
            self.finished = finished
        }

        enum CodingKeys: String, CodingKey {
            case outcome, signal, reason, node, finished
            case runID = "run_id"
            case exitCode = "exit_code"
        }

        /// `exit_code` and `signal` are always there, null where they don't apply: scripts look at both.
        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(runID, forKey: .runID)
            try container.encode(outcome, forKey: .outcome)
            try container.encode(exitCode, forKey: .exitCode)
            try container.encode(signal, forKey: .signal)
            try container.encodeIfPresent(reason, forKey: .reason)
            try container.encode(node, forKey: .node)
            try container.encode(finished, forKey: .finished)
        }
    }

    package init(
        node: String, instance: String, version: String, store: Store, jobs: [Job], warnings: [String] = []
    ) {
        self.node = node
        self.instance = instance
        self.version = version
        self.store = store
        self.jobs = jobs
        self.warnings = warnings
    }
}

extension StatusReport.Holder {
    /// Nil when nobody holds the lock. A holder record that is not the holder's own is not believed.
    package init?(_ view: LockView) {
        guard let token = view.token else { return nil }
        if view.holderToken == token, let bytes = view.holder, let record = HolderRecord(decoding: bytes) {
            self.init(node: record.node, runID: record.runID, fence: view.fence, since: record.since)
        } else {
            self.init(node: "a foreign client", runID: "", fence: view.fence, since: "")
        }
    }
}
