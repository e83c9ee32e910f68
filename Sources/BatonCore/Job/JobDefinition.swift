// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a job file declares, checked and with every default filled in.
///
/// It is large and in many hands: copies share what they say, and a change makes a new one.
@dynamicMemberLookup
package struct JobDefinition: Equatable, Sendable {
    private final class Shared: Sendable {
        let values: Values

        init(_ values: Values) { self.values = values }
    }

    private var shared: Shared

    /// All of it.
    var values: Values { shared.values }

    package subscript<Value>(dynamicMember path: KeyPath<Values, Value>) -> Value { shared.values[keyPath: path] }

    package subscript<Value>(dynamicMember path: WritableKeyPath<Values, Value>) -> Value {
        get { shared.values[keyPath: path] }
        set {
            var values = shared.values
            values[keyPath: path] = newValue
            shared = Shared(values)
        }
    }

    package static func == (left: JobDefinition, right: JobDefinition) -> Bool {
        left.shared === right.shared || left.shared.values == right.shared.values
    }

    package struct Values: Equatable, Sendable {
        /// The file's stem.
        package var name: String
        package var description: String
        package var command: Command
        /// Name or number; nil: the daemon's own user.
        package var user: String?
        /// Name or number; nil: the user's primary group.
        package var group: String?
        package var workingDirectory: String
        package var umask: UInt32
        package var nice: Int32
        package var environment: [String: String]
        package var environmentFile: String?
        package var enabled: Bool
        /// Nil: a service, which is kept running.
        package var schedule: ScheduleSettings?
        package var run: RunSettings
        package var lock: LockSettings
        package var stop: StopSettings
        package var restart: RestartSettings
        package var placement: Placement
        package var limits: ResourceLimits
        package var sandbox: Sandbox
        package var output: Output
        /// Nil: nobody is told.
        package var notify: NotifySettings?
    }

    package enum Command: Equatable, Sendable {
        /// A program and its arguments; the program absolute, or looked up in the workload's PATH.
        case program([String])
        /// A line for `/bin/sh -c`.
        case shell(String)
    }

    package struct RunSettings: Equatable, Sendable {
        /// A run that lasts longer is stopped; nil: it may last for ever.
        package var timeout: Duration?
        /// The exit codes that are no failure.
        package var successCodes: Set<Int32>
        /// Whether the workload says how it is, in the words of `sd_notify`.
        package var notify: Bool
        /// How often such a workload must say that it is alive; nil: it need not.
        package var watchdog: Duration?

        package init(
            timeout: Duration? = nil, successCodes: Set<Int32> = [0], notify: Bool = false, watchdog: Duration? = nil
        ) {
            self.timeout = timeout
            self.successCodes = successCodes
            self.notify = notify
            self.watchdog = watchdog
        }
    }

    package struct LockSettings: Equatable, Sendable {
        /// The TTL, T.
        package var timeout: Duration
        /// Between TERM and KILL when the lease runs out.
        package var lostGrace: Duration

        package init(timeout: Duration, lostGrace: Duration) {
            self.timeout = timeout
            self.lostGrace = lostGrace
        }
    }

    package struct StopSettings: Equatable, Sendable {
        /// A signal number.
        package var signal: Int32
        /// Between the stop signal and KILL in an ordinary stop.
        package var timeout: Duration

        package init(signal: Int32, timeout: Duration) {
            self.signal = signal
            self.timeout = timeout
        }
    }

    package struct RestartSettings: Equatable, Sendable {
        package enum Policy: String, Equatable, Sendable, CaseIterable {
            case always
            case onFailure = "on-failure"
            case never
        }
        package var policy: Policy
        /// The first delay; doubles with every failure in a row.
        package var delay: Duration
        package var maxDelay: Duration

        package init(policy: Policy, delay: Duration, maxDelay: Duration) {
            self.policy = policy
            self.delay = delay
            self.maxDelay = maxDelay
        }
    }

    package enum Output: Equatable, Sendable {
        case journal
        case file(String)
        case none
    }

    /// A job with every default.
    package init(name: String, command: Command) {
        shared = Shared(
            Values(
                name: name,
                description: "",
                command: command,
                user: nil,
                group: nil,
                workingDirectory: "/",
                umask: 0o022,
                nice: 0,
                environment: [:],
                environmentFile: nil,
                enabled: true,
                schedule: nil,
                run: RunSettings(),
                lock: LockSettings(timeout: .seconds(15), lostGrace: .milliseconds(2500)),
                stop: StopSettings(signal: 15, timeout: .seconds(30)),
                restart: RestartSettings(policy: .always, delay: .seconds(1), maxDelay: .seconds(300)),
                placement: Placement(),
                limits: ResourceLimits(),
                sandbox: Sandbox(),
                output: .journal,
                notify: nil))
    }
}
