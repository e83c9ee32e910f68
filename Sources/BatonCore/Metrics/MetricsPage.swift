// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The page of a node's metrics: what there is, and what has happened.
///
/// Names and labels are what dashboards and alert rules depend on: they change with a major version only.
package struct MetricsPage: Sendable {
    private var page = Exposition()
    private let node: NodeReading
    private let tally: MetricsTally

    /// - Returns: the whole page.
    package static func bytes(_ node: NodeReading, _ tally: MetricsTally) -> Bytes {
        var page = MetricsPage(node: node, tally: tally)
        page.writeNode()
        page.writeJobs()
        page.writeRuns()
        page.writeTicks()
        page.writeStore()
        page.writeProcess()
        return page.page.bytes
    }

    private init(node: NodeReading, tally: MetricsTally) {
        self.node = node
        self.tally = tally
    }

    // MARK: What there is

    private mutating func writeNode() {
        page.begin("baton_build_info", .gauge, "Always 1; the label says which version of Baton this is.")
        page.sample([("version", node.version)], 1)
        one(
            "baton_config_last_reload_successful",
            "Whether the last reload took the files over; 1 as well when there was none since the start.",
            node.isLastReloadGood ? 1 : 0)
        one(
            "baton_config_last_reload_success_timestamp_seconds",
            "When the files were last taken over, by the start or a reload.", Double(node.reloadedAt) / 1e6)
        one(
            "baton_watchdog_armed", "Whether systemd watches this batond, and ends it when one of its loops hangs.",
            node.isWatchdogArmed ? 1 : 0)
    }

    private mutating func writeJobs() {
        page.begin("baton_jobs", .gauge, "Jobs of this node, by state, as batonctl status shows them.")
        var counts: [StatusReport.State: Int] = [:]
        for job in node.jobs { counts[job.state, default: 0] += 1 }
        for state in StatusReport.State.allCases {
            page.sample([("state", state.rawValue)], Double(counts[state] ?? 0))
        }
        page.begin(
            "baton_job_running", .gauge,
            "Whether a run of the job is on this node, from the launch to the proof that all of it is gone.")
        for job in node.jobs { page.sample([("job", job.name)], job.lease == nil ? 0 : 1) }
        page.begin(
            "baton_lease_remaining_seconds", .gauge, "What is left of the lease of the job's run on this node.")
        for job in node.jobs {
            if let lease = job.lease { page.sample([("job", job.name)], max(0, lease.left.inSeconds)) }
        }
        page.begin(
            "baton_lease_timeout_seconds", .gauge,
            "The lock.timeout of the job's run on this node: about what is left right after a renewal.")
        for job in node.jobs {
            if let lease = job.lease { page.sample([("job", job.name)], lease.timeout.inSeconds) }
        }
        guard let fleet = node.fleet else { return }
        one("baton_nodes", "Live nodes, as the store knows them; up to a minute old.", Double(fleet.nodes))
        page.begin(
            "baton_job_files_differ", .gauge,
            "1 for each job whose file is not the same on all live nodes, on whichever; up to a minute old.")
        for job in fleet.differing { page.sample([("job", job)], 1) }
    }

    // MARK: What has happened

    /// Those that alerts look at are there before the first of them: a counter that appears with 1 has not increased.
    private static let endingsFromTheStart: [RunEnding] = [.succeeded, .failed]

    private mutating func writeRuns() {
        page.begin("baton_runs_total", .counter, "Runs that ended on this node, by outcome, as in batonctl history.")
        for job in node.jobs {
            let runs = tally.jobs[job.name]?.runs ?? [:]
            for ending in RunEnding.allCases {
                guard let count = runs[ending] ?? initial(job, ending) else { continue }
                page.sample([("job", job.name), ("outcome", ending.rawValue)], Double(count))
            }
        }
        page.begin(
            "baton_run_duration_seconds", .summary,
            "How long runs took that started and ended under this batond, and how many there were.")
        each(suffix: "_sum") { $0.timedRuns > 0 ? $0.runTime : nil }
        each(suffix: "_count") { $0.timedRuns > 0 ? Double($0.timedRuns) : nil }
        page.begin(
            "baton_last_success_timestamp_seconds", .gauge,
            "When a run of the job last succeeded on this node, since this batond started.")
        each { $0.lastSuccess.map { Double($0) / 1e6 } }
        page.begin(
            "baton_takeovers_total", .counter,
            """
            Locks granted to this node whose last lease had run out without a release: the holder had died, hung, or \
            was cut off. It may have been this node.
            """)
        each { $0.takeovers > 0 ? Double($0.takeovers) : nil }
    }

    private func initial(_ job: NodeReading.Job, _ ending: RunEnding) -> Int? {
        job.isScheduled != nil && Self.endingsFromTheStart.contains(ending) ? 0 : nil
    }

    private mutating func writeTicks() {
        page.begin(
            "baton_missed_ticks_total", .counter,
            "Ticks that no node claimed, and that are not caught up, counted by the node that had the store note them.")
        for job in node.jobs where job.isScheduled == true {
            page.sample([("job", job.name)], Double(tally.jobs[job.name]?.missedTicks ?? 0))
        }
        page.begin(
            "baton_skipped_ticks_total", .counter,
            "Ticks that were due while the last run went on, and have no run; counted as missed ones are.")
        each { $0.skippedTicks > 0 ? Double($0.skippedTicks) : nil }
        page.begin(
            "baton_lost_runs_total", .counter,
            """
            Runs of ticks of which nobody said how they ended, on whichever node; counted as missed ticks are, when the \
            next tick or attempt is claimed.
            """)
        each { $0.lostRuns > 0 ? Double($0.lostRuns) : nil }
        page.begin(
            "baton_start_skew_seconds", .histogram,
            "How long after its tick was due, jitter included, the first attempt's workload started on this node.")
        page.samples(tally.startSkew)
    }

    private mutating func writeStore() {
        one("baton_store_up", "Whether the last thing heard from the store was an answer.", node.isStoreUp ? 1 : 0)
        if let offset = node.clockOffset {
            one(
                "baton_clock_offset_seconds", "This node's wall clock minus the store's, by the store's last answer.",
                offset.inSeconds)
        }
        page.begin(
            "baton_store_request_duration_seconds", .histogram,
            "How long requests to the store took, by kind, also those without an answer.")
        for request in MetricsTally.Request.allCases {
            guard let asked = tally.requests[request] else { continue }
            page.samples(asked.durations, [("request", request.rawValue)])
        }
        page.begin(
            "baton_store_request_failures_total", .counter,
            "Requests to the store without an answer, or with an error for one, by kind.")
        for request in MetricsTally.Request.allCases {
            page.sample([("request", request.rawValue)], Double(tally.requests[request]?.failures ?? 0))
        }
    }

    private mutating func writeProcess() {
        guard let process = node.process else { return }
        page.begin("process_cpu_seconds_total", .counter, "Time on a processor, of batond alone.")
        page.sample(process.cpuSeconds)
        one("process_resident_memory_bytes", "Memory of batond alone.", Double(process.residentBytes))
        one("process_open_fds", "Open file descriptors of batond alone.", Double(process.openDescriptors))
        one("process_start_time_seconds", "When batond's process began, in seconds since 1970.", process.startedAt)
    }

    private mutating func one(_ name: String, _ help: String, _ value: Double) {
        page.begin(name, .gauge, help)
        page.sample(value)
    }

    /// A sample for each of the node's jobs that has such a value.
    private mutating func each(suffix: String = "", _ value: (MetricsTally.Job) -> Double?) {
        for job in node.jobs {
            guard let value = tally.jobs[job.name].flatMap(value) else { continue }
            page.sample([("job", job.name)], suffix: suffix, value)
        }
    }
}
