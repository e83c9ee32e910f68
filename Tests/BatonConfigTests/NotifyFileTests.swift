// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import Testing

/// `[notify]`, in a job's file and in the node's defaults.
@Suite struct NotifyFileTests {
    private static func notify(_ text: String, defaults: String = "") throws -> NotifySettings? {
        try ConfigBench().job("shell = 'true'\n" + text, defaults: defaults).notify
    }

    @Test func everyKeyIsRead() throws {
        let everything = NotifySettings(command: .program(["/bin/true", "now"]))
        #expect(try Self.notify("[notify]\ncommand = ['/bin/true', 'now']") == everything)
        #expect(everything.reasons == [.failed, .missed, .lost])
        #expect(
            try Self.notify("[notify]\nshell = 'mail -s $BATON_JOB ops'\non = ['failed', 'lost']")
                == NotifySettings(command: .shell("mail -s $BATON_JOB ops"), reasons: [.failed, .lost]))
        #expect(
            try Self.notify("every = '1m'\nnotify = { shell = 'x', on = ['missed'] }")
                == NotifySettings(command: .shell("x"), reasons: [.missed]))
        #expect(try Self.notify("") == nil)
    }

    @Test func defaultsAreForAllJobsAndAJobMayDoWithout() throws {
        let defaults = "[defaults.notify]\ncommand = ['/bin/true']\non = ['failed', 'missed']\n"
        let all = NotifySettings(command: .program(["/bin/true"]), reasons: [.failed, .missed])
        #expect(try Self.notify("", defaults: defaults) == all)
        #expect(
            try Self.notify("[notify]\non = ['lost']", defaults: defaults)
                == NotifySettings(command: .program(["/bin/true"]), reasons: [.lost]))
        #expect(
            try Self.notify("[notify]\nshell = 'x'", defaults: defaults)
                == NotifySettings(command: .shell("x"), reasons: [.failed, .missed]))
        #expect(try Self.notify("[notify]\non = []", defaults: defaults) == nil)
        #expect(try Self.notify("[notify]\non = []") == nil)
        // How, without saying what.
        #expect(
            try Self.notify("", defaults: "[defaults.notify]\non = ['lost']\n[defaults.stop]\ntimeout = '1s'") == nil)
    }

    @Test(arguments: [
        ("notify = true", ":2: notify: is true; wanted a table, [notify]"),
        (
            "[notify]\non = ['failed']",
            ":2: notify: nothing to run: one of command = [\"/path/to/program\", …] or shell = \"…\" is needed"
        ),
        (
            "[notify]\nshell = 'x'\ncommand = ['/bin/true']",
            ":3: notify.shell: is given, and command too; [notify] has exactly one of them"
        ),
        (
            "[notify]\nshell = 'x'\non = ['failed', 'success']",
            ":4: notify.on: 'success' is nothing to be told of; wanted some of \"failed\", \"missed\", \"lost\""
        ),
        ("[notify]\nshell = 'x'\non = 'failed'", ":4: notify.on: is the string \"failed\"; wanted an array of strings"),
        (
            "[notify]\nshell = 'x'\non = ['missed']",
            ":4: notify.on: 'missed' is for a job that has schedule or every: without them it has no ticks"
        ),
        (
            "[notify]\ncommand = ['bin/page']",
            ":3: notify.command: 'bin/page' is a relative path; wanted an absolute one, or a name to look up in PATH"
        ),
        ("[notify]\nshell = 'x'\nuser = 'ops'", ":4: notify.user: unknown key 'user'"),
        ("[notify]\nshel = 'x'\non = []", ":3: notify.shel: unknown key 'shel'; did you mean 'shell'?"),
        ("[notfy]\nshell = 'x'", ":2: notfy: unknown key 'notfy'; did you mean 'notify'?"),
    ])
    func whatCannotBeSaysWhereAndWhy(_ text: String, _ problem: String) throws {
        #expect(try ConfigBench().problems(ofJob: "shell = 'true'\n" + text) == [problem])
    }

    @Test func aProgramThatIsNotThereIsADoubt() throws {
        let bench = try ConfigBench()
        bench.write("jobs.d/report.toml", "shell = 'true'\n[notify]\ncommand = ['/no/such/pager']\n")
        let warnings = bench.loadJobs().warnings.map { bench.short($0.description) }
        #expect(warnings.count == 1)
        #expect(warnings.first?.hasSuffix("notify.command: /no/such/pager does not exist on this machine") == true)
    }
}
