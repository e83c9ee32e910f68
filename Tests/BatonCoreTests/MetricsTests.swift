// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// Metrics as Prometheus reads them, word for word.
@Suite struct MetricsTests {
    private func text(_ page: Exposition) -> String { String(decoding: page.bytes, as: UTF8.self) }

    @Test func aFamilyHasItsHeadAndItsSamples() {
        var page = Exposition()
        page.begin("baton_runs_total", .counter, "Runs that ended.")
        page.sample([("job", "a"), ("outcome", "failed")], 3)
        page.sample(2.5)
        page.begin("x_seconds", .gauge, "A \\ and\na \"line\".")
        page.sample(-1, suffix: "_sum")
        #expect(
            text(page) == """
                # HELP baton_runs_total Runs that ended.
                # TYPE baton_runs_total counter
                baton_runs_total{job="a",outcome="failed"} 3
                baton_runs_total 2.5
                # HELP x_seconds A \\\\ and\\na "line".
                # TYPE x_seconds gauge
                x_seconds_sum -1

                """)
    }

    @Test func labelsMayHoldAnything() {
        var page = Exposition()
        page.begin("x", .gauge, "X.")
        page.sample([("job", "a\\b\"c\nd} é")], 1)
        #expect(text(page).hasSuffix("\nx{job=\"a\\\\b\\\"c\\nd} é\"} 1\n"))
    }

    @Test(
        arguments: [
            (0, "0"), (-0.0, "0"), (1, "1"), (0.1, "0.1"), (1e-9, "1e-09"), (1_764_162_000.25, "1764162000.25"),
            (9_007_199_254_740_992, "9007199254740992"), (1e300, "1e+300"), (.nan, "NaN"), (.infinity, "+Inf"),
            (-.infinity, "-Inf"),
        ] as [(Double, String)])
    func numbers(_ value: Double, _ wanted: String) {
        #expect(Exposition.text(value) == wanted)
    }

    @Test func aBucketHasWhatTheOnesBeforeItHave() {
        var histogram = Histogram(bounds: [0.1, 1])
        for value in [0.05, 0.1, 0.5, 2, 3] { histogram.observe(value) }
        #expect(histogram.counts == [2, 1, 2])
        var page = Exposition()
        page.begin("x_seconds", .histogram, "X.")
        page.samples(histogram, [("request", "look")])
        #expect(
            text(page) == """
                # HELP x_seconds X.
                # TYPE x_seconds histogram
                x_seconds_bucket{request="look",le="0.1"} 2
                x_seconds_bucket{request="look",le="1"} 3
                x_seconds_bucket{request="look",le="+Inf"} 5
                x_seconds_sum{request="look"} 5.65
                x_seconds_count{request="look"} 5

                """)
    }

    // MARK: What is counted

    private func at(_ seconds: Double) -> Instant { Instant(nanoseconds: Int64(seconds * 1e9)) }

    @Test func runsAreCountedByTheirEndAndTimedFromTheirStart() {
        var tally = MetricsTally()
        tally.runStarted("r1", late: .milliseconds(40), at: at(10))
        tally.runStarted("r2", late: nil, at: at(11))
        tally.runEnded("r1", of: "a", .succeeded, time: 1_000_000, at: at(12.5))
        tally.runEnded("r2", of: "a", .failed, time: 2_000_000, at: at(12))
        // Of an earlier daemon: nobody here knows when it began.
        tally.runEnded("r0", of: "a", .failed, time: 3_000_000, at: at(13))
        let job = tally.jobs["a"]
        #expect(job?.runs == [.succeeded: 1, .failed: 2])
        #expect(job?.lastSuccess == 1_000_000)
        #expect(job?.timedRuns == 2 && job?.runTime == 3.5)
        #expect(tally.startSkew.counts.reduce(0, +) == 1 && tally.startSkew.sum == 0.04)
        // A clock that is put back makes nothing start too early.
        tally.runStarted("r3", late: .seconds(-5), at: at(14))
        #expect(tally.startSkew.sum == 0.04)
    }

    @Test func ticksWithoutARunAreCountedByWhy() {
        var tally = MetricsTally()
        tally.omitted([], of: "a")
        #expect(tally.jobs.isEmpty)
        let lost = LedgerEntry(tick: 1, attempt: 1, fence: 1, changed: 0)
        tally.omitted(
            [
                .missed(.init(first: 1, last: 3, count: 3)), .skipped(.init(first: 4, last: 4, count: 1)), .lost(lost),
                .missed(.init(first: 5, last: 5, count: 1)),
            ], of: "a")
        tally.tookOver("a")
        let job = tally.jobs["a"]
        #expect(job?.missedTicks == 4 && job?.skippedTicks == 1 && job?.lostRuns == 1 && job?.takeovers == 1)
    }

    // MARK: The page

    @Test func thePageOfANode() {
        var tally = MetricsTally()
        tally.runStarted("r1", late: .milliseconds(40), at: at(10))
        tally.runEnded("r1", of: "ticking", .succeeded, time: 1_764_162_000_500_000, at: at(12.5))
        tally.runEnded("r2", of: "ticking", .timeout, time: 0, at: at(13))
        // It has no file any more: nobody wants to know.
        tally.runEnded("r3", of: "gone", .failed, time: 0, at: at(13))
        tally.omitted([.missed(.init(first: 1, last: 3, count: 3))], of: "ticking")
        tally.tookOver("service")
        tally.answered(.acquire, after: .milliseconds(2), isFailure: false)
        tally.answered(.acquire, after: .seconds(2), isFailure: true)
        let node = NodeReading(
            version: "0.1.0",
            jobs: [
                .init(name: "broken", state: .invalid),
                .init(
                    name: "service", state: .running, isScheduled: false,
                    lease: .init(left: .milliseconds(12_500), timeout: .seconds(15))),
                .init(name: "ticking", state: .standby, isScheduled: true),
            ],
            isLastReloadGood: true, reloadedAt: 1_764_160_000_000_000, isStoreUp: true,
            clockOffset: .milliseconds(-250), isWatchdogArmed: false,
            fleet: .init(nodes: 3, differing: ["ticking"]),
            process: .init(cpuSeconds: 1.25, residentBytes: 1 << 20, openDescriptors: 30, startedAt: 1_764_159_999.5))
        let page = String(decoding: MetricsPage.bytes(node, tally), as: UTF8.self)
        let lines = page.split(separator: "\n")
        let samples = lines.filter { !$0.hasPrefix("#") && !$0.contains("_bucket{") && !$0.contains("baton_jobs{") }
        #expect(samples.map(String.init) == Self.samples)
        #expect(lines.contains("baton_jobs{state=\"running\"} 1") && lines.contains("baton_jobs{state=\"paused\"} 0"))
        #expect(lines.contains("baton_store_request_duration_seconds_bucket{request=\"acquire\",le=\"0.0025\"} 1"))
        #expect(lines.contains("baton_start_skew_seconds_bucket{le=\"0.05\"} 1"))
        // Each family once, with its head, and a name by the rules.
        let heads = lines.filter { $0.hasPrefix("# TYPE ") }.map { $0.split(separator: " ") }
        #expect(Set(heads.map { $0[2] }).count == heads.count)
        #expect(heads.allSatisfy { ($0[3] == "counter") == $0[2].hasSuffix("_total") })
        #expect(lines.filter { $0.hasPrefix("# HELP ") }.count == heads.count)
    }

    private static let samples =
        [
            "baton_build_info{version=\"0.1.0\"} 1",
            "baton_config_last_reload_successful 1",
            "baton_config_last_reload_success_timestamp_seconds 1764160000",
            "baton_watchdog_armed 0",
            "baton_job_running{job=\"broken\"} 0",
            "baton_job_running{job=\"service\"} 1",
            "baton_job_running{job=\"ticking\"} 0",
            "baton_lease_remaining_seconds{job=\"service\"} 12.5",
            "baton_lease_timeout_seconds{job=\"service\"} 15",
            "baton_nodes 3",
            "baton_job_files_differ{job=\"ticking\"} 1",
            "baton_runs_total{job=\"service\",outcome=\"succeeded\"} 0",
            "baton_runs_total{job=\"service\",outcome=\"failed\"} 0",
            "baton_runs_total{job=\"ticking\",outcome=\"succeeded\"} 1",
            "baton_runs_total{job=\"ticking\",outcome=\"failed\"} 0",
            "baton_runs_total{job=\"ticking\",outcome=\"timeout\"} 1",
            "baton_run_duration_seconds_sum{job=\"ticking\"} 2.5",
            "baton_run_duration_seconds_count{job=\"ticking\"} 1",
            "baton_last_success_timestamp_seconds{job=\"ticking\"} 1764162000.5",
            "baton_takeovers_total{job=\"service\"} 1",
            "baton_missed_ticks_total{job=\"ticking\"} 3",
            "baton_start_skew_seconds_sum 0.04",
            "baton_start_skew_seconds_count 1",
            "baton_store_up 1",
            "baton_clock_offset_seconds -0.25",
            "baton_store_request_duration_seconds_sum{request=\"acquire\"} 2.002",
            "baton_store_request_duration_seconds_count{request=\"acquire\"} 2",
        ]
        + MetricsTally.Request.allCases.map {
            "baton_store_request_failures_total{request=\"\($0.rawValue)\"} \($0 == .acquire ? 1 : 0)"
        } + [
            "process_cpu_seconds_total 1.25",
            "process_resident_memory_bytes 1048576",
            "process_open_fds 30",
            "process_start_time_seconds 1764159999.5",
        ]

    @Test func whatIsNotKnownIsNotSaid() {
        let node = NodeReading(
            version: "1", jobs: [], isLastReloadGood: false, reloadedAt: 0, isStoreUp: false, isWatchdogArmed: true)
        let page = String(decoding: MetricsPage.bytes(node, MetricsTally()), as: UTF8.self)
        #expect(page.contains("\nbaton_store_up 0\n") && page.contains("\nbaton_config_last_reload_successful 0\n"))
        #expect(page.contains("\nbaton_watchdog_armed 1\n"))
        for name in ["baton_clock_offset_seconds", "baton_nodes", "process_open_fds", "baton_job_files_differ"] {
            #expect(!page.contains(name), "\(name)")
        }
    }
}
