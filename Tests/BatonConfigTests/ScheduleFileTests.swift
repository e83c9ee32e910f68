// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Testing

/// `schedule`, `every` and what belongs to them, in a job's file.
@Suite struct ScheduleFileTests {
    private static func job(_ text: String, defaults: String = "") throws -> JobDefinition {
        try ConfigBench().job("shell = 'true'\n" + text, defaults: defaults)
    }

    @Test func everyKeyIsRead() throws {
        let job = try Self.job(
            """
            schedule = "0 2 * * *"
            timezone = "Europe/Berlin"
            jitter = "5m"
            catch_up = "last"
            start_deadline = "24h"
            overlap = "queue"
            [retry]
            attempts = 3
            delay = "1m"
            on = ["lost", "timeout"]
            elsewhere = false
            [run]
            timeout = "2h"
            success_codes = [0, 3]
            notify = true
            watchdog = "30s"
            """)
        let zone = try TimeZoneFolder.system.rules(of: "Europe/Berlin")
        var wanted = ScheduleSettings(.cron(try CronExpression("0 2 * * *", job: "report"), zone))
        wanted.jitter = .seconds(300)
        wanted.catchUp = .last
        wanted.startDeadline = .seconds(86400)
        wanted.overlap = .queue
        wanted.retry = RetrySettings(
            attempts: 3, delay: .seconds(60), reasons: [.lost, .timeout], elsewhere: false)
        #expect(job.schedule == wanted)
        #expect(
            job.run
                == JobDefinition.RunSettings(
                    timeout: .seconds(7200), successCodes: [0, 3], notify: true, watchdog: .seconds(30)))
    }

    @Test func whatIsNotSaid() throws {
        let service = try Self.job("")
        #expect(service.schedule == nil)
        #expect(service.run == JobDefinition.RunSettings(timeout: nil, successCodes: [0]))
        #expect(try Self.job("every = '1h30m'").schedule == ScheduleSettings(.every(seconds: 5400)))
        let nightly = Schedule.cron(try CronExpression("@daily", job: "report"), .utc)
        #expect(try Self.job("schedule = '@daily'").schedule == ScheduleSettings(nightly))
        #expect(ScheduleSettings(nightly).retry == RetrySettings(attempts: 1))
        #expect(try Self.job("run.timeout = '1h'").run.timeout == .seconds(3600))
    }

    /// The node may say how, for all jobs that have a schedule, and even when.
    @Test func defaultsAreForJobsOfAllKinds() throws {
        let defaults = """
            [defaults]
            timezone = "Asia/Kolkata"
            jitter = "10s"
            catch_up = "all"
            [defaults.retry]
            attempts = 5
            [defaults.restart]
            delay = "2s"
            """
        #expect(try Self.job("", defaults: defaults).schedule == nil)
        let nightly = try Self.job("schedule = '0 2 * * *'\nretry.delay = '5s'", defaults: defaults).schedule
        guard case .cron(_, let zone) = nightly?.schedule else { throw CancellationError() }
        #expect(zone.name == "Asia/Kolkata" && nightly?.jitter == .seconds(10) && nightly?.catchUp == .all)
        #expect(nightly?.retry == RetrySettings(attempts: 5, delay: .seconds(5)))
        #expect(try Self.job("every = '1m'", defaults: defaults).schedule?.schedule == .every(seconds: 60))
        // The job's own file counts.
        let hourly = "[defaults]\nschedule = '@hourly'"
        #expect(try Self.job("every = '1m'", defaults: hourly).schedule?.schedule == .every(seconds: 60))
        let minutely = "[defaults]\nevery = '1m'"
        guard case .cron = try Self.job("schedule = '@daily'", defaults: minutely).schedule?.schedule else {
            throw CancellationError()
        }
    }

    @Test(arguments: [
        ("schedule = '0 25 * * *'", ":2: schedule: hour '25' cannot be; wanted 0 to 23"),
        ("schedule = '0 0 30 2 *'", ":2: schedule: day of month '30' never comes: month '2' has at most 29 days"),
        (
            "schedule = '@reboot'",
            ":2: schedule: '@reboot' is none of @annually @daily @hourly @midnight @monthly @weekly @yearly"
        ),
        ("schedule = 5", ":2: schedule: is the integer 5; wanted a string"),
        ("every = 600", ":2: every: is the integer 600; wanted a duration in quotes, such as \"30s\""),
        ("every = '0s'", ":2: every: 0s cannot be; wanted whole seconds, 1s or more"),
        ("every = '500ms'", ":2: every: 500ms cannot be; wanted whole seconds, 1s or more"),
        ("every = '1.5s'", ":2: every: 1.5s cannot be; wanted whole seconds, 1s or more"),
        ("every = '-5m'", ":2: every: \"-5m\" is negative"),
        ("every = '367d'", ":2: every: 367d is longer than 366d; schedule = \"0 2 1 1 *\" names a day of the year"),
        ("every = '5m'\nschedule = '@daily'", ":2: every: is given, and schedule too; a job has at most one of them"),
        (
            "every = '5m'\ntimezone = 'Europe/Berlin'",
            ":3: timezone: is of no use to every, which counts from 1970 and knows no clocks"
        ),
        (
            "schedule = '@daily'\ntimezone = 'europe/berlin'",
            ":3: timezone: there is no time zone 'europe/berlin' in /usr/share/zoneinfo; did you mean 'Europe/Berlin'?"
        ),
        (
            "schedule = '@daily'\ntimezone = 'Kolkata'",
            ":3: timezone: there is no time zone 'Kolkata' in /usr/share/zoneinfo; did you mean 'Asia/Kolkata'?"
        ),
        (
            "schedule = '@daily'\ntimezone = '../../etc/localtime'",
            ":3: timezone: '../../etc/localtime' is no time zone's name; wanted one as Europe/Berlin or UTC"
        ),
        ("timezone = 'UTC'", ":2: timezone: is for a job that has schedule or every; without them it is kept running"),
        ("jitter = '5s'", ":2: jitter: is for a job that has schedule or every; without them it is kept running"),
        ("catch_up = 'all'", ":2: catch_up: is for a job that has schedule or every; without them it is kept running"),
        (
            "start_deadline = '5s'",
            ":2: start_deadline: is for a job that has schedule or every; without them it is kept running"
        ),
        ("overlap = 'skip'", ":2: overlap: is for a job that has schedule or every; without them it is kept running"),
        (
            "retry.attempts = 3", ":2: retry: is for a job that has schedule or every; without them it is kept running"
        ),
        (
            "schedule = '@daily'\nrestart.policy = 'never'",
            ":3: restart: is for a job that is kept running; one with schedule or every has [retry]"
        ),
        (
            "every = '1m'\nrestart.policy = 'never'",
            ":3: restart: is for a job that is kept running; one with schedule or every has [retry]"
        ),
        (
            "every = '5m'\njitter = '5m'",
            ":3: jitter: 5m is too long: the next tick may be due 5m later, and must not be overtaken"
        ),
        (
            "schedule = '0 0,23 * * *'\njitter = '2h'",
            ":3: jitter: 2h is too long: the next tick may be due 1h later, and must not be overtaken"
        ),
        (
            "every = '5m'\njitter = '1m'\nstart_deadline = '1m'",
            ":4: start_deadline: 1m is too short for jitter = 1m: a tick would be missed before its run may start"
        ),
        ("every = '5m'\nstart_deadline = '0s'", ":3: start_deadline: is no time at all; leave it out for no limit"),
        (
            "every = '5m'\ncatch_up = 'first'",
            ":3: catch_up: 'first' is no way to catch up; wanted one of \"none\", \"last\", \"all\""
        ),
        (
            "every = '5m'\noverlap = true", ":3: overlap: is true; wanted a string"
        ),
        (
            "every = '5m'\noverlap = 'kill'",
            ":3: overlap: 'kill' is no way to overlap; wanted one of \"skip\", \"queue\", \"replace\""
        ),
        ("every = '5m'\nretry = 3", ":3: retry: is the integer 3; wanted a table, [retry]"),
        (
            "every = '5m'\nretry.attempts = 0",
            ":3: retry.attempts: 0 attempts cannot be; wanted 1, which is no retry, to 100"
        ),
        (
            "every = '5m'\nretry.attempts = 101",
            ":3: retry.attempts: 101 attempts cannot be; wanted 1, which is no retry, to 100"
        ),
        ("every = '5m'\nretry.delay = '25h'", ":3: retry.delay: 1d1h is longer than 24h"),
        (
            "every = '5m'\nretry.on = []",
            ":3: retry.on: is empty: nothing would be tried again; attempts = 1 says that"
        ),
        (
            "every = '5m'\nretry.on = ['missed']",
            ":3: retry.on: 'missed' is no reason to try again; wanted some of \"failed\", \"lost\", \"timeout\""
        ),
        ("every = '5m'\nretry.attempt = 3", ":3: retry.attempt: unknown key 'attempt'; did you mean 'attempts'?"),
        ("run.timeout = '0s'", ":2: run.timeout: is no time at all; leave it out for no limit"),
        ("run.success_codes = []", ":2: run.success_codes: is empty: no run could succeed"),
        ("run.success_codes = [0, 256]", ":2: run.success_codes: 256 is no exit code; wanted 0 to 255"),
        ("run.success_codes = [-1]", ":2: run.success_codes: -1 is no exit code; wanted 0 to 255"),
        (
            "run.success_codes = ['0']",
            ":2: run.success_codes: element 1 is the string \"0\"; wanted an integer"
        ),
        ("run.success_codes = 0", ":2: run.success_codes: is the integer 0; wanted an array of integers"),
        ("run.notify = 1", ":2: run.notify: is the integer 1; wanted true or false"),
        (
            "run.watchdog = '30s'",
            ":2: run.watchdog: needs notify = true: a workload that says nothing of itself can't be watched"
        ),
        (
            "run.notify = true\nrun.watchdog = '50ms'",
            ":3: run.watchdog: 50ms is too short; wanted 100ms or more"
        ),
        ("scheduel = '@daily'", ":2: scheduel: unknown key 'scheduel'; did you mean 'schedule'?"),
    ])
    func whatCannotBeSaysWhereAndWhy(lines: String, wanted: String) throws {
        let problems = try ConfigBench().problems(ofJob: "shell = 'true'\n\(lines)")
        #expect(problems == [wanted])
    }
}
