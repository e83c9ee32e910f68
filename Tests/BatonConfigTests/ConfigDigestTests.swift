// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import Testing

/// The number by which nodes see whether a job's file says the same.
struct ConfigDigestTests {
    private func digest(_ text: String, defaults: String = "") throws -> UInt64 {
        let bench = try ConfigBench()
        bench.write("jobs.d/report.toml", text)
        return try #require(bench.loadJobs(defaults).digests["report"])
    }

    @Test func whatIsWrittenCountsAndNotHow() throws {
        let plain = try digest("command = [\"/bin/true\", \"x\"]\nnice = 5\n[lock]\ntimeout = \"9s\"")
        #expect(
            try digest("# other words\nlock.timeout = '9s'\nnice = 5\ncommand = [ \"/bin/true\", 'x' ]") == plain)
        #expect(
            try digest("command = [\"/bin/true\", \"x\"]\nnice = 5", defaults: "[defaults.lock]\ntimeout = \"9s\"")
                == plain)
        let others = [
            "command = [\"/bin/true\", \"x\"]\nnice = 5\n[lock]\ntimeout = \"8s\"",
            "command = [\"/bin/true\", \"x\"]\nnice = 6\n[lock]\ntimeout = \"9s\"",
            "command = [\"/bin/true x\"]\nnice = 5\n[lock]\ntimeout = \"9s\"",
            "command = [\"/bin/true\", \"x\"]\n[lock]\ntimeout = \"9s\"", "",
        ]
        let digests = try others.map { try digest($0) }
        #expect(Set(digests + [plain]).count == others.count + 1)
    }

    @Test func itIsTheSameInEveryVersion() throws {
        // FNV-1a of `{1;s7:command;[2;s9:/bin/true;s1:x;`.
        #expect(try digest("command = [\"/bin/true\", \"x\"]") == 0x5fc1_f7c3_fa29_231b)
    }

    @Test func aFileThatCannotBeReadHasOneOfItsBytes() throws {
        let one = try digest("this is no TOML")
        #expect(try digest("this is no TOML") == one)
        #expect(try digest("this is no TOML either") != one)
    }
}
