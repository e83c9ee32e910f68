// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a job's new definition means for the run that goes on under the old one.
package struct JobChange: Equatable, Sendable {
    /// What has to happen so that the new definition counts, the gravest of all keys that changed.
    package enum Effect: Int, Comparable, Sendable {
        case none
        /// It counts at once, or, for what a keeper is started with, from the next run on: the process goes on.
        case withoutRestart
        /// The process was started with something else.
        case restart

        package static func < (left: Effect, right: Effect) -> Bool { left.rawValue < right.rawValue }
    }

    package var effect: Effect
    /// The keys that changed, as the job file has them: `stop.timeout`.
    package var keys: [String]

    package init(effect: Effect, keys: [String]) {
        self.effect = effect
        self.keys = keys
    }
}

extension JobDefinition {
    /// The difference between this definition and a newer one of the same job.
    package func change(to new: JobDefinition) -> JobChange {
        if self == new { return JobChange(effect: .none, keys: []) }
        let quiet = Self.quietKeys(self, new) + Self.scheduleKeys(self.schedule, new.schedule)
        let loud = Self.processKeys(self, new)
        var rest = new
        (rest.description, rest.enabled, rest.lock, rest.stop, rest.restart, rest.placement) = (
            self.description, self.enabled, self.lock, self.stop, self.restart, self.placement
        )
        (rest.run.timeout, rest.run.successCodes, rest.notify) = (
            self.run.timeout, self.run.successCodes, self.notify
        )
        // Of one that is kept running a run has no end, of a scheduled one it has: between the two there is no way.
        if (self.schedule == nil) == (new.schedule == nil) { rest.schedule = self.schedule }
        // Whatever is not known to leave the process alone matters to it, also a key that has no name here yet.
        return JobChange(effect: rest == self ? .withoutRestart : .restart, keys: quiet + loud)
    }

    /// What Baton itself goes by.
    private static func quietKeys(_ old: JobDefinition, _ new: JobDefinition) -> [String] {
        changed([
            ("description", old.description == new.description),
            ("enabled", old.enabled == new.enabled),
            ("run.timeout", old.run.timeout == new.run.timeout),
            ("run.success_codes", old.run.successCodes == new.run.successCodes),
            ("lock.timeout", old.lock.timeout == new.lock.timeout),
            ("lock.lost_grace", old.lock.lostGrace == new.lock.lostGrace),
            ("stop.signal", old.stop.signal == new.stop.signal),
            ("stop.timeout", old.stop.timeout == new.stop.timeout),
            ("placement.nodes", old.placement.nodes == new.placement.nodes),
            ("placement.require", old.placement.require == new.placement.require),
            ("placement.prefer", old.placement.prefer == new.placement.prefer),
            ("restart.policy", old.restart.policy == new.restart.policy),
            ("restart.delay", old.restart.delay == new.restart.delay),
            ("restart.max_delay", old.restart.maxDelay == new.restart.maxDelay),
            ("notify", old.notify == new.notify),
        ])
    }

    /// When it is due. A zone whose rules the system has brought up to date is a change too.
    private static func scheduleKeys(_ old: ScheduleSettings?, _ new: ScheduleSettings?) -> [String] {
        guard let old, let new else { return old == new ? [] : ["schedule"] }
        let times =
            switch (old.schedule, new.schedule) {
            case (.cron(let first, let zone), .cron(let second, let other)):
                [("schedule", first == second), ("timezone", zone == other)]
            case (.every(let first), .every(let second)): [("every", first == second)]
            case (.cron, .every), (.every, .cron): [("schedule", false), ("every", false)]
            }
        return changed(
            times + [
                ("jitter", old.jitter == new.jitter),
                ("catch_up", old.catchUp == new.catchUp),
                ("start_deadline", old.startDeadline == new.startDeadline),
                ("overlap", old.overlap == new.overlap),
                ("retry", old.retry == new.retry),
            ])
    }

    /// What the workload's process was started with.
    private static func processKeys(_ old: JobDefinition, _ new: JobDefinition) -> [String] {
        changed([
            ("command", old.command == new.command),
            ("user", old.user == new.user),
            ("group", old.group == new.group),
            ("working_directory", old.workingDirectory == new.workingDirectory),
            ("umask", old.umask == new.umask),
            ("nice", old.nice == new.nice),
            ("environment", old.environment == new.environment),
            ("environment_file", old.environmentFile == new.environmentFile),
            ("limits", old.limits == new.limits),
            ("sandbox", old.sandbox == new.sandbox),
            ("run.notify", old.run.notify == new.run.notify),
            ("run.watchdog", old.run.watchdog == new.run.watchdog),
            ("output", old.output == new.output),
        ])
    }

    private static func changed(_ keys: [(name: String, isSame: Bool)]) -> [String] {
        keys.filter { !$0.isSame }.map(\.name)
    }
}
