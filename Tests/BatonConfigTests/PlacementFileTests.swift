// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import Testing

/// `[placement]` of a job, `tags` and `max_runs` of a node.
@Suite struct PlacementFileTests {
    @Test func everyKeyIsRead() throws {
        let bench = try ConfigBench()
        let job = try bench.job(
            """
            shell = "true"
            [placement]
            nodes = ["web-*", "db-?", "x"]
            require = { role = "web" }
            prefer = { zone = "a", "disk.kind" = "ssd" }
            """)
        #expect(
            job.placement
                == Placement(
                    nodes: ["web-*", "db-?", "x"], require: ["role": "web"], prefer: ["zone": "a", "disk.kind": "ssd"]))
        #expect(try bench.job("shell = 'true'").placement == Placement())
        // A job's own patterns replace those of the defaults, its tags are added to theirs.
        let defaults = "[defaults.placement]\nnodes = ['a']\nrequire = { role = 'web', zone = 'a' }"
        let merged = try bench.job(
            "shell = 'true'\nplacement.nodes = ['b']\nplacement.require.zone = 'b'", defaults: defaults)
        #expect(merged.placement == Placement(nodes: ["b"], require: ["role": "web", "zone": "b"]))

        let node = bench.loadNode("[node]\ntags = { role = 'web' }\nmax_runs = 3")
        #expect(node.errors == [])
        #expect(node.settings.tags == ["role": "web"])
        #expect(node.settings.maxRuns == 3)
        #expect(bench.loadNode("").settings.maxRuns == 0)
    }

    @Test(arguments: [
        ("nodes = 'web-*'", ":3: placement.nodes: is the string \"web-*\"; wanted an array of strings"),
        ("nodes = []", ":3: placement.nodes: is empty: no node could run the job; enabled = false says that"),
        (
            "nodes = ['web 1']",
            ":3: placement.nodes: 'web 1' matches no node's name; wanted 1 to 64 letters, digits and . _ -, with * for any "
                + "text and ? for any character"
        ),
        (
            "nodes = ['']",
            ":3: placement.nodes: '' matches no node's name; wanted 1 to 64 letters, digits and . _ -, with * for any text "
                + "and ? for any character"
        ),
        ("require = { role = 1 }", ":3: placement.require.role: is an integer; wanted a string"),
        ("require = ['web']", ":3: placement.require: is an array; wanted a table of strings"),
        ("prefer = { zone = '' }", ":3: placement.prefer.zone: a tag has 1 to 128 bytes without control characters"),
        (
            "prefer = { 'a b' = 'x' }",
            ":3: placement.prefer.a b: 'a b' cannot be a tag's name; wanted 1 to 64 letters, digits and . _ -"
        ),
        ("requires = { role = 'web' }", ":3: placement.requires: unknown key 'requires'; did you mean 'require'?"),
    ])
    func aBadPlacementSaysWhereAndWhy(line: String, wanted: String) throws {
        #expect(try ConfigBench().problems(ofJob: "shell = 'true'\n[placement]\n\(line)") == [wanted])
    }

    @Test(arguments: [
        ("max_runs = -1", "batond.toml:2: node.max_runs: -1 runs cannot be; wanted 0, which is no limit, to 1000000"),
        ("max_runs = '2'", "batond.toml:2: node.max_runs: is the string \"2\"; wanted an integer"),
        ("tags = ['a']", "batond.toml:2: node.tags: is an array; wanted a table of strings"),
        (
            "tags = { a = \"x\\u0007\" }",
            "batond.toml:2: node.tags.a: a tag has 1 to 128 bytes without control characters"
        ),
    ])
    func aBadNodeSaysWhereAndWhy(line: String, wanted: String) throws {
        #expect(try ConfigBench().problems(ofNode: "[node]\n\(line)") == [wanted])
    }
}
