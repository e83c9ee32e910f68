// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// What a new definition means for the run that goes on.
@Suite struct JobChangeTests {
    private static let old = JobDefinition(name: "report", command: .program(["/bin/report", "--all"]))

    private func change(_ edit: (inout JobDefinition) -> Void) -> JobChange {
        var new = Self.old
        edit(&new)
        return Self.old.change(to: new)
    }

    @Test func theSameDefinitionIsNoChange() {
        #expect(change { _ in } == JobChange(effect: .none, keys: []))
    }

    @Test func whatBatonGoesByLeavesTheProcessAlone() {
        let cases: [(String, (inout JobDefinition) -> Void)] = [
            ("description", { $0.description = "x" }), ("enabled", { $0.enabled = false }),
            ("lock.timeout", { $0.lock.timeout = .seconds(9) }),
            ("lock.lost_grace", { $0.lock.lostGrace = .seconds(1) }), ("stop.signal", { $0.stop.signal = 2 }),
            ("stop.timeout", { $0.stop.timeout = .seconds(1) }), ("restart.policy", { $0.restart.policy = .never }),
            ("restart.delay", { $0.restart.delay = .seconds(2) }),
            ("restart.max_delay", { $0.restart.maxDelay = .seconds(9) }),
            ("run.timeout", { $0.run.timeout = .seconds(9) }), ("run.success_codes", { $0.run.successCodes = [0, 3] }),
            ("notify", { $0.notify = NotifySettings(command: .shell("page")) }),
            ("placement.nodes", { $0.placement.nodes = ["web-*"] }),
            ("placement.require", { $0.placement.require = ["role": "web"] }),
            ("placement.prefer", { $0.placement.prefer = ["zone": "a"] }),
        ]
        for (key, edit) in cases { #expect(change(edit) == JobChange(effect: .withoutRestart, keys: [key])) }
    }

    @Test func whatTheProcessWasStartedWithNeedsARestart() {
        let cases: [(String, (inout JobDefinition) -> Void)] = [
            ("run.notify", { $0.run.notify = true }), ("run.watchdog", { $0.run.watchdog = .seconds(9) }),
            ("command", { $0.command = .program(["/bin/report"]) }), ("command", { $0.command = .shell("report") }),
            ("user", { $0.user = "reports" }), ("group", { $0.group = "reports" }),
            ("working_directory", { $0.workingDirectory = "/srv" }), ("umask", { $0.umask = 0o077 }),
            ("nice", { $0.nice = 5 }), ("environment", { $0.environment["A"] = "b" }),
            ("environment_file", { $0.environmentFile = "/etc/default/report" }),
            ("limits", { $0.limits.rlimits[.nofile] = 64 }),
            ("sandbox", { $0.sandbox.flags = [.privateTmp] }), ("output", { $0.output = .none }),
        ]
        for (key, edit) in cases { #expect(change(edit) == JobChange(effect: .restart, keys: [key])) }
    }

    @Test func theGravestKeyDecidesAndAllAreNamed() {
        let both = change {
            $0.description = "x"
            $0.nice = 5
        }
        #expect(both == JobChange(effect: .restart, keys: ["description", "nice"]))
    }

    /// Whoever adds a field to the definition says here what a change of it means, and gives it a name.
    @Test func everyFieldOfADefinitionHasItsName() {
        let fields = Mirror(reflecting: Self.old.values).children.compactMap(\.label)
        #expect(
            Set(fields) == [
                "name", "description", "command", "user", "group", "workingDirectory", "umask", "nice", "placement",
                "environment",
                "environmentFile", "enabled", "lock", "stop", "restart", "limits", "sandbox",
                "output", "schedule", "run", "notify",
            ])
        let settings = ScheduleSettings(.every(seconds: 60))
        #expect(
            Set(Mirror(reflecting: settings).children.compactMap(\.label)) == [
                "schedule", "jitter", "catchUp", "startDeadline", "overlap", "retry",
            ])
    }

    @Test func whatIsDueLeavesTheProcessAlone() throws {
        func cron(_ text: String, _ zone: TimeZoneRules = .utc) throws -> Schedule {
            .cron(try CronExpression(text, job: "report"), zone)
        }
        func change(from old: Schedule, _ edit: (inout ScheduleSettings) -> Void) -> JobChange {
            var (job, new) = (Self.old, Self.old)
            var settings = ScheduleSettings(old)
            job.schedule = settings
            edit(&settings)
            new.schedule = settings
            return job.change(to: new)
        }
        func quiet(_ keys: String...) -> JobChange { JobChange(effect: .withoutRestart, keys: keys) }
        let (nightly, hourly) = (try cron("0 2 * * *"), try cron("0 * * * *"))
        let inBerlin = try cron("0 2 * * *", .berlin)
        #expect(change(from: nightly) { $0.schedule = hourly } == quiet("schedule"))
        #expect(change(from: nightly) { $0.schedule = inBerlin } == quiet("timezone"))
        #expect(change(from: nightly) { $0.schedule = .every(seconds: 60) } == quiet("schedule", "every"))
        let every = Schedule.every(seconds: 60)
        #expect(change(from: every) { $0.schedule = .every(seconds: 30) } == quiet("every"))
        #expect(change(from: every) { $0.jitter = .seconds(5) } == quiet("jitter"))
        #expect(change(from: every) { $0.catchUp = .all } == quiet("catch_up"))
        #expect(change(from: every) { $0.startDeadline = .seconds(5) } == quiet("start_deadline"))
        #expect(change(from: every) { $0.overlap = .replace } == quiet("overlap"))
        #expect(change(from: every) { $0.retry.attempts = 3 } == quiet("retry"))
        // A job of the other kind is another job.
        let kind = self.change { $0.schedule = ScheduleSettings(every) }
        #expect(kind == JobChange(effect: .restart, keys: ["schedule"]))
    }

    // MARK: - The plan

    @Test func thePlanKnowsEveryJob() {
        func job(_ name: String, _ edit: (inout JobDefinition) -> Void = { _ in }) -> (String, JobDefinition) {
            var definition = JobDefinition(name: name, command: .program(["/bin/\(name)"]))
            edit(&definition)
            return (name, definition)
        }
        let old = Dictionary(
            uniqueKeysWithValues: [job("same"), job("gone"), job("quiet"), job("loud"), job("standby"), job("off")])
        let new = Dictionary(
            uniqueKeysWithValues: [
                job("same"), job("new"), job("quiet") { $0.description = "x" }, job("loud") { $0.nice = 1 },
                job("standby") { $0.nice = 1 }, job("off") { $0.enabled = false },
            ])
        let plan = ReloadPlan(from: old, to: new)
        #expect(plan.fates["same"] == .unchanged)
        #expect(plan.fates["new"] == .added)
        #expect(plan.fates["gone"] == .removed)
        let report = plan.report(
            running: ["same", "gone", "quiet", "loud", "off"], competing: Set(new.keys).subtracting(["off"]))
        #expect(report.added == ["new"])
        #expect(report.removed == ["gone"])
        #expect(report.changed.map(\.job) == ["loud", "off", "quiet", "standby"])
        #expect(report.restarted == ["loud"])
        #expect(report.stopped == ["gone", "off"])
        #expect(report.unchanged == ["same"])
    }

    // MARK: - The node

    @Test func whatANodeTakesOverWhileItRuns() {
        let old = NodeSettings(name: "a", store: StoreSettings(location: .sqlite(path: "/x")))
        #expect(old.change(to: old) == NodeChange(counting: [], waiting: []))
        var new = old
        new.logLevel = "debug"
        new.jobDirectories = ["/jobs"]
        #expect(old.change(to: new) == NodeChange(counting: ["log.level", "jobs.directories"], waiting: []))
        new.name = "b"
        new.launcher = .systemd
        new.metrics.listen = .tcp(host: "::1", port: 1)
        new.metrics.textfile = "/x.prom"
        new.store.prefix = "other"
        new.store.password = Secret("x")
        let change = old.change(to: new)
        #expect(change.counting == ["log.level", "jobs.directories"])
        #expect(
            change.waiting == [
                "node.name", "node.launcher", "metrics.listen", "metrics.textfile", "store.password", "store.prefix",
            ])
    }

    @Test func everySettingOfANodeHasItsName() {
        let node = NodeSettings(name: "a", store: StoreSettings(location: .sqlite(path: "/x")))
        #expect(
            Set(Mirror(reflecting: node).children.compactMap(\.label)) == [
                "name", "logLevel", "store", "jobDirectories", "launcher", "operators", "tags", "maxRuns", "metrics",
            ])
        #expect(
            Set(Mirror(reflecting: node.store).children.compactMap(\.label)) == [
                "location", "database", "username", "password", "caFile", "prefix", "maxLockTimeout", "connectTimeout",
                "requestTimeout", "replicas",
            ])
    }

    @Test func aHangIsJudgedByTheLease() {
        var job = Self.old
        #expect(job.watchdogDoubt(interval: .seconds(5)) == nil)
        job.lock = .init(timeout: .seconds(10), lostGrace: .seconds(1))
        #expect(job.watchdogDoubt(interval: .seconds(5))?.contains("WatchdogSec") == true)
        #expect(job.watchdogDoubt(interval: .seconds(3)) == nil)
    }
}
