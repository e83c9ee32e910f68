// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A property of a unit, as systemd's bus interface has it.
package struct UnitProperty: Equatable, Sendable {
    /// The name: mostly the directive's.
    package var name: String
    package var value: Value

    package enum Value: Equatable, Sendable {
        case text(String)
        case flag(Bool)
        case number(UInt64)
        case list([String])
        /// A program with its arguments, for `ExecStart`.
        case command([String])
    }

    package init(_ name: String, _ value: Value) {
        self.name = name
        self.value = value
    }
}

extension UnitProperty {
    /// The unit of a run, whose main process is the keeper.
    ///
    /// - Parameters:
    ///   - keeper: the keeper's program.
    ///   - directory: the run's folder.
    ///   - before: batond's own unit, if it has one: at shutdown, that is stopped first, and stops the runs itself, as
    ///     long as there is a network to release their locks over.
    package static func ofRun(
        _ job: JobDefinition, _ spec: LaunchSpec, keeper: String, directory: String, before: String?
    ) -> [UnitProperty] {
        var properties = [
            UnitProperty("Description", .text("Baton's run of the job \(job.name)")),
            UnitProperty("ExecStart", .command([keeper, "--unit", directory])),
            // Started once the keeper's program runs: what is wrong with the sandbox is an error of the start.
            UnitProperty("Type", .text("exec")),
            UnitProperty("Slice", .text(UnitName.slice)),
            // A stop is for the keeper to carry out, which knows the job's signal and tells the daemon. But when the
            // keeper is gone, everything that is left gets KILL at once; with "control-group" it would get TERM.
            UnitProperty("KillMode", .text("mixed")),
            UnitProperty("TimeoutStopUSec", .number(microseconds(job.stop.timeout + .seconds(15)))),
            UnitProperty("Delegate", .flag(true)),
            UnitProperty("CollectMode", .text("inactive-or-failed")),
            UnitProperty("OOMPolicy", .text("continue")),
            UnitProperty("LogRateLimitIntervalUSec", .number(0)),
            // Keeper and guard are not the job's.
            UnitProperty("TasksMax", .number(job.limits.tasksMax.map { $0 + 2 } ?? ResourceLimits.infinity)),
        ]
        if let before { properties.append(UnitProperty("Before", .list([before]))) }
        if let bytes = job.limits.memoryMax { properties.append(UnitProperty("MemoryMax", .number(bytes))) }
        if let weight = job.limits.cpuWeight { properties.append(UnitProperty("CPUWeight", .number(weight))) }
        return properties + of(job.sandbox, runFolder: directory)
    }

    private static func of(_ sandbox: Sandbox, runFolder: String) -> [UnitProperty] {
        var properties: [UnitProperty] = []
        if let mode = sandbox.protectSystem { properties.append(UnitProperty("ProtectSystem", .text(mode))) }
        if let mode = sandbox.protectHome { properties.append(UnitProperty("ProtectHome", .text(mode))) }
        for flag in Sandbox.Flag.allCases where sandbox.flags.contains(flag) {
            properties.append(UnitProperty(flag.directive, .flag(true)))
        }
        // Whatever is read-only, the keeper writes into the run's folder and takes the lock beside it.
        let jobFolder = runFolder.lastIndex(of: "/").map { String(runFolder[..<$0]) } ?? runFolder
        let isBound =
            sandbox.protectSystem != nil || !sandbox.readOnlyPaths.isEmpty || !sandbox.readWritePaths.isEmpty
        if isBound {
            properties.append(UnitProperty("ReadWritePaths", .list(sandbox.readWritePaths + [jobFolder])))
        }
        if !sandbox.readOnlyPaths.isEmpty {
            properties.append(UnitProperty("ReadOnlyPaths", .list(sandbox.readOnlyPaths)))
        }
        if !sandbox.inaccessiblePaths.isEmpty {
            properties.append(UnitProperty("InaccessiblePaths", .list(sandbox.inaccessiblePaths)))
        }
        return properties
    }

    private static func microseconds(_ duration: Duration) -> UInt64 { UInt64(max(0, duration.nanoseconds / 1000)) }
}
