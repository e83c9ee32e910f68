// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// What systemd is asked for, for a run.
@Suite struct UnitPropertyTests {
    private func properties(_ job: JobDefinition, before: String? = nil) -> [String: UnitProperty.Value] {
        let spec = LaunchSpec(job: job.name, runID: "r1", arguments: ["true"])
        let list = UnitProperty.ofRun(job, spec, keeper: "/k", directory: "/run/baton/runs/j/r1", before: before)
        return Dictionary(uniqueKeysWithValues: list.map { ($0.name, $0.value) })
    }

    @Test func thePlainUnit() {
        var job = JobDefinition(name: "j", command: .shell("true"))
        job.stop.timeout = .seconds(5)
        #expect(
            properties(job) == [
                "Description": .text("Baton's run of the job j"),
                "ExecStart": .command(["/k", "--unit", "/run/baton/runs/j/r1"]),
                "Type": .text("exec"),
                "Slice": .text("baton.slice"),
                "KillMode": .text("mixed"),
                "TimeoutStopUSec": .number(20_000_000),
                "Delegate": .flag(true),
                "CollectMode": .text("inactive-or-failed"),
                "OOMPolicy": .text("continue"),
                "LogRateLimitIntervalUSec": .number(0),
                "TasksMax": .number(.max),
            ])
        #expect(properties(job, before: "batond.service")["Before"] == .list(["batond.service"]))
    }

    @Test func limitsAndSandbox() {
        var job = JobDefinition(name: "j", command: .shell("true"))
        job.limits.memoryMax = 1 << 30
        job.limits.cpuWeight = 20
        job.limits.tasksMax = 10
        job.sandbox.protectSystem = "strict"
        job.sandbox.flags = [.privateTmp]
        job.sandbox.inaccessiblePaths = ["/srv"]
        let found = properties(job)
        #expect(found["MemoryMax"] == .number(1 << 30))
        #expect(found["CPUWeight"] == .number(20))
        #expect(found["TasksMax"] == .number(12), "keeper and guard are not the job's")
        #expect(found["ProtectSystem"] == .text("strict"))
        #expect(found["PrivateTmp"] == .flag(true))
        #expect(found["InaccessiblePaths"] == .list(["/srv"]))
        #expect(found["ReadWritePaths"] == .list(["/run/baton/runs/j"]), "the keeper writes there")
    }

    @Test func names() {
        #expect(UnitName.of(job: "a-b.c_d", runID: "0f") == "baton-a-b.c_d-0f.service")
        #expect(UnitName.of(job: "a b/ü", runID: "@") == "baton-a\\x20b\\x2f\\xc3\\xbc-\\x40.service")
    }

    @Test func capabilities() {
        #expect(Capability.bit(of: "CAP_CHOWN") == 1)
        #expect(Capability.bit(of: "CAP_CHECKPOINT_RESTORE") == 1 << 40)
        #expect(Capability.bit(of: "CAP_NONE") == nil)
    }
}
