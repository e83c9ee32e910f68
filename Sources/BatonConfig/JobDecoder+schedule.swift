// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem

/// When a job is due: `schedule`, `every`, `timezone`, what becomes of its ticks, `[retry]`; and `[run]`.
extension JobDecoder {
    private static let longestPeriod = Duration.seconds(366 * 86400)
    private static let shortestWatchdog = Duration.milliseconds(100)
    private static let longestRetryDelay = Duration.seconds(86400)

    /// - Parameter root: the job's file with the node's defaults below it; nil: these are the defaults alone, which may say
    ///   how without saying when.
    func decodeSchedule(_ reader: inout TableReader, _ job: inout JobDefinition, of root: ConfigNode?) {
        if let root { rejectWhatHasNoUse(reader, root) }
        reader.table("run") { decodeRun(&$0, &job.run) }
        let schedule = decodeTimes(&reader, root)
        var settings = ScheduleSettings(schedule ?? .every(seconds: 1))
        settings.catchUp = reader.word("catch_up", "way to catch up") ?? settings.catchUp
        settings.overlap = reader.word("overlap", "way to overlap") ?? settings.overlap
        let jitter = reader.duration("jitter")
        let deadline = positive("start_deadline", &reader)
        settings.jitter = jitter?.duration ?? settings.jitter
        settings.startDeadline = deadline?.duration
        reader.table("retry") { decodeRetry(&$0, &settings.retry) }
        guard let schedule else { return }

        if let (duration, node) = jitter, let period = schedule.shortestPeriod, duration >= .seconds(period) {
            let (text, limit) = (DurationText.describe(duration), DurationText.describe(.seconds(period)))
            reader.reject(
                node, "\(text) is too long: the next tick may be due \(limit) later, and must not be overtaken")
        }
        if let (duration, node) = deadline, duration <= settings.jitter {
            let (text, jitter) = (DurationText.describe(duration), DurationText.describe(settings.jitter))
            reader.reject(
                node, "\(text) is too short for jitter = \(jitter): a tick would be missed before its run may start")
        }
        job.schedule = settings
    }

    /// Keys of a job's own file that say nothing beside its other ones. Defaults are for jobs of all kinds.
    private func rejectWhatHasNoUse(_ reader: TableReader, _ root: ConfigNode) {
        func rejectOwn(_ key: String, _ message: String) {
            if let node = reader.peek(key), node.source === root.source { reader.reject(node, message) }
        }
        switch (reader.peek("schedule"), reader.peek("every")) {
        case (nil, nil):
            for key in ["timezone", "jitter", "catch_up", "start_deadline", "overlap", "retry"] {
                rejectOwn(key, "is for a job that has schedule or every; without them it is kept running")
            }
            return
        case (nil, _?): rejectOwn("timezone", "is of no use to every, which counts from 1970 and knows no clocks")
        case (_?, nil): break
        case (let cron?, let every?):
            if cron.source === every.source {
                reader.reject(every, "is given, and schedule too; a job has at most one of them")
            }
        }
        rejectOwn("restart", "is for a job that is kept running; one with schedule or every has [retry]")
    }

    private func decodeTimes(_ reader: inout TableReader, _ root: ConfigNode?) -> Schedule? {
        let cron = reader.string("schedule")
        let every = reader.duration("every")
        var zone: TimeZoneRules? = .utc
        if let (name, node) = reader.string("timezone") {
            do {
                zone = try zones.rules(of: name)
            } catch {
                zone = nil
                reader.reject(node, error.reason + hint(for: name))
            }
        }
        // Of two layers the job's own file counts.
        if let every, cron == nil || every.node.source === root?.source { return period(every, reader) }
        guard let cron else { return nil }
        do {
            let expression = try CronExpression(cron.text, job: name)
            return zone.map { .cron(expression, $0) }
        } catch {
            reader.reject(cron.node, error.description)
            return nil
        }
    }

    private func period(_ every: (duration: Duration, node: ConfigNode), _ reader: TableReader) -> Schedule? {
        let (seconds, fraction) = every.duration.components
        let text = DurationText.describe(every.duration)
        if seconds < 1 || fraction != 0 {
            reader.reject(every.node, "\(text) cannot be; wanted whole seconds, 1s or more")
        } else if every.duration > Self.longestPeriod {
            reader.reject(every.node, "\(text) is longer than 366d; schedule = \"0 2 1 1 *\" names a day of the year")
        } else {
            return .every(seconds: seconds)
        }
        return nil
    }

    /// The zone that may have been meant.
    private func hint(for name: String) -> String {
        let names = zones.names()
        let ending = "/" + name.lowercased()
        let near =
            Spelling.nearest(to: name, among: names) ?? names.sorted().first { $0.lowercased().hasSuffix(ending) }
        return near.map { "; did you mean '\($0)'?" } ?? ""
    }

    private func positive(_ key: String, _ reader: inout TableReader) -> (duration: Duration, node: ConfigNode)? {
        guard let (duration, node) = reader.duration(key) else { return nil }
        if duration > .zero { return (duration, node) }
        reader.reject(node, "is no time at all; leave it out for no limit")
        return nil
    }

    private func decodeRun(_ reader: inout TableReader, _ run: inout JobDefinition.RunSettings) {
        run.timeout = positive("timeout", &reader)?.duration
        decodeNotices(&reader, &run)
        guard let (numbers, node) = reader.integers("success_codes") else { return }
        if numbers.isEmpty { reader.reject(node, "is empty: no run could succeed") }
        for number in numbers where !(0...255).contains(number) {
            reader.reject(node, "\(number) is no exit code; wanted 0 to 255")
        }
        run.successCodes = Set(numbers.map { Int32(clamping: $0) })
    }

    /// What the workload says of itself.
    private func decodeNotices(_ reader: inout TableReader, _ run: inout JobDefinition.RunSettings) {
        run.notify = reader.boolean("notify") ?? false
        guard let (duration, node) = reader.duration("watchdog") else { return }
        if duration < Self.shortestWatchdog {
            reader.reject(node, "\(DurationText.describe(duration)) is too short; wanted 100ms or more")
        }
        if !run.notify {
            reader.reject(node, "needs notify = true: a workload that says nothing of itself can't be watched")
        }
        run.watchdog = duration
    }

    private func decodeRetry(_ reader: inout TableReader, _ retry: inout RetrySettings) {
        if let (number, node) = reader.integer("attempts") {
            if !(1...100).contains(number) {
                reader.reject(node, "\(number) attempts cannot be; wanted 1, which is no retry, to 100")
            }
            retry.attempts = Int(clamping: number)
        }
        if let (duration, node) = reader.duration("delay") {
            if duration > Self.longestRetryDelay {
                reader.reject(node, "\(DurationText.describe(duration)) is longer than 24h")
            }
            retry.delay = duration
        }
        retry.elsewhere = reader.boolean("elsewhere") ?? retry.elsewhere
        guard let (words, node) = reader.strings("on") else { return }
        if words.isEmpty { reader.reject(node, "is empty: nothing would be tried again; attempts = 1 says that") }
        for word in words where RetrySettings.Reason(rawValue: word) == nil {
            let wanted = TableReader.list(RetrySettings.Reason.self)
            reader.reject(node, "'\(word)' is no reason to try again; wanted some of \(wanted)")
        }
        retry.reasons = Set(words.compactMap(RetrySettings.Reason.init))
    }
}
