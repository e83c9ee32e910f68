// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc
import Testing

@testable import BatonConfig

/// `[limits]` and `[sandbox]`, and which launcher they need.
@Suite struct SandboxTests {
    private static let systemd = "node.launcher = 'systemd'"

    @Test func rlimitsAreEveryLaunchers() throws {
        let job = try ConfigBench().job(
            """
            shell = 'true'
            [limits]
            nofile = 333
            nproc = 7
            core = 0
            fsize = "1.5G"
            memlock = "infinity"
            as = 1048576
            cpu = "2m"
            """)
        #expect(
            job.limits.rlimits == [
                .nofile: 333, .nproc: 7, .core: 0, .fsize: 1_610_612_736, .memlock: .max, .as: 1_048_576, .cpu: 120,
            ])
    }

    @Test(.enabled(if: geteuid() == 0, "only root may have the launcher")) func theRestIsSystemds() throws {
        let job = try ConfigBench().job(
            """
            shell = 'true'
            [limits]
            memory_max = "512M"
            cpu_weight = 50
            tasks_max = 10
            [sandbox]
            protect_system = "strict"
            protect_home = true
            private_tmp = true
            private_network = false
            no_new_privileges = true
            read_write_paths = ["/srv/report", "-/srv/other"]
            capability_bounding_set = ["CAP_KILL", "CAP_CHOWN"]
            """, defaults: Self.systemd)
        #expect(job.limits.memoryMax == 536_870_912 && job.limits.cpuWeight == 50 && job.limits.tasksMax == 10)
        var sandbox = Sandbox()
        sandbox.protectSystem = "strict"
        sandbox.protectHome = "yes"
        sandbox.flags = [.privateTmp, .noNewPrivileges]
        sandbox.readWritePaths = ["/srv/report", "-/srv/other"]
        sandbox.capabilities = 0b100001
        #expect(job.sandbox == sandbox)
    }

    @Test(
        .enabled(if: geteuid() == 0, "only root may have the launcher"),
        arguments: [
            ("limits.nofile=3", ":1: limits.nofile: 3 open files cannot be; wanted 16 to 1073741816"),
            (
                "limits.memory_max='12'",
                ":1: limits.memory_max: 12 bytes are too few: it must be at least 1048576"
            ),
            (
                "limits.as='1GB'",
                ":1: limits.as: is the string \"1GB\"; wanted a size, in bytes or as \"512M\" (K M G T)"
            ),
            ("limits.cpu_weight=0", ":1: limits.cpu_weight: 0 is no weight; wanted 1 to 10000"),
            ("limits.tasks_max=0", ":1: limits.tasks_max: 0 tasks cannot be; wanted 1 to 4194304"),
            ("limits.cpu='100ms'", ":1: limits.cpu: 100ms is too short: it must be at least 1s"),
            (
                "sandbox.protect_system='very'",
                ":1: sandbox.protect_system: is the string \"very\"; wanted true, false, \"full\", \"strict\""
            ),
            (
                "sandbox.privatetmp=true",
                ":1: sandbox.privatetmp: unknown key 'privatetmp'; did you mean 'private_tmp'?"
            ),
            (
                "sandbox.read_write_paths=['srv']",
                ":1: sandbox.read_write_paths: 'srv' is not an absolute path (a - before it: if it is there)"
            ),
            (
                "sandbox.capability_bounding_set=['CAP_KIL']",
                ":1: sandbox.capability_bounding_set: there is no capability 'CAP_KIL'; did you mean 'CAP_KILL'?"
            ),
        ])
    func aBadValueSaysWhereAndWhy(text: String, wanted: String) throws {
        #expect(try ConfigBench().problems(ofJob: text + "\nshell='true'", defaults: Self.systemd) == [wanted])
    }

    @Test(arguments: ["memory_max='1G'", "cpu_weight=10", "tasks_max=10"]) func directHasNoneOfIt(text: String) throws {
        let key = text.prefix { $0 != "=" }
        #expect(
            try ConfigBench().problems(ofJob: "shell='true'\nlimits.\(text)") == [
                ":2: limits.\(key): needs node.launcher = \"systemd\" (from the start of batond on): \"direct\" can set "
                    + "rlimits only"
            ])
    }

    @Test func directHasNoSandbox() throws {
        let bench = try ConfigBench()
        #expect(
            bench.problems(ofJob: "shell='true'\n[sandbox]\nprivate_tmp=true") == [
                ":2: sandbox: needs node.launcher = \"systemd\" (from the start of batond on): \"direct\" keeps nothing "
                    + "from a workload"
            ])
        #expect(bench.problems(ofNode: "[defaults.sandbox]\nprivate_tmp=true").count == 1)
    }

    @Test func onlyRootMayHaveUnits() throws {
        let bench = try ConfigBench()
        bench.write("batond.toml", "\n[node]\nlauncher='systemd'")
        let problems = ConfigLoader(user: 4242).loadNode(path: bench.node).errors.map { bench.short($0.description) }
        #expect(problems.contains("batond.toml:3: node.launcher: \"systemd\" needs a daemon that runs as root"))
    }

    @Test func sizesAreBytes() {
        for (text, bytes) in [("0", 0), ("7", 7), ("1K", 1024), ("0.5M", 524_288), ("2T", 2_199_023_255_552)] {
            #expect(SizeText.parse(text) == UInt64(bytes))
        }
        for text in ["", "K", "1.K", ".5K", "-1", "1 K", "1k", "1e3", "1KB", "0x10", "nan", "99999999999999T"] {
            #expect(SizeText.parse(text) == nil, "\(text)")
        }
    }
}
