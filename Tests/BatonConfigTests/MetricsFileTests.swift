// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import Testing

/// `[metrics]` of `batond.toml`.
@Suite struct MetricsFileTests {
    @Test func theyAreOffUnlessTheFileSaysSo() throws {
        #expect(try ConfigBench().loadNode("").settings.metrics == MetricsSettings())
        #expect(try ConfigBench().loadNode("[metrics]").settings.metrics == MetricsSettings())
    }

    @Test(
        arguments: [
            ("127.0.0.1:9460", .tcp(host: "127.0.0.1", port: 9460)), ("[::1]:9460", .tcp(host: "::1", port: 9460)),
            ("10.0.0.5:65535", .tcp(host: "10.0.0.5", port: 65535)), ("0.0.0.0:1", .tcp(host: "0.0.0.0", port: 1)),
            ("unix:/run/baton/metrics.sock", .unixSocket(path: "/run/baton/metrics.sock")),
        ] as [(String, MetricsAddress)])
    func addresses(_ text: String, _ wanted: MetricsAddress) throws {
        let loaded = try ConfigBench().loadNode("[metrics]\nlisten = '\(text)'")
        #expect(loaded.errors == [] && loaded.warnings == [])
        #expect(loaded.settings.metrics.listen == wanted)
        #expect(wanted.description == text)
    }

    @Test func bothMayBeGiven() throws {
        let bench = try ConfigBench()
        let loaded = bench.loadNode("[metrics]\nlisten = '[::]:9460'\ntextfile = '\(bench.folder)/baton.prom'")
        #expect(loaded.errors == [] && loaded.warnings == [])
        #expect(loaded.settings.metrics.listen == .tcp(host: "::", port: 9460))
        #expect(loaded.settings.metrics.textfile == bench.folder + "/baton.prom")
    }

    @Test(arguments: [
        ("listen='x'", "listen: 'x' has no port; wanted one such as \"127.0.0.1:9460\", or \"unix:/path\""),
        ("listen='h:'", "listen: 'h:' has no port; wanted one such as \"127.0.0.1:9460\", or \"unix:/path\""),
        ("listen='h:0'", "listen: 'h:0' has a port that is not a number from 1 to 65535"),
        ("listen='h:65536'", "listen: 'h:65536' has a port that is not a number from 1 to 65535"),
        (
            "listen='h:99999999999999999999'",
            "listen: 'h:99999999999999999999' has a port that is not a number from 1 to 65535"
        ),
        ("listen=9460", "listen: is the integer 9460; wanted a string"),
        (
            "listen=':9460'",
            "listen: ':9460' has no host; \"0.0.0.0:9460\" is every IPv4 address of this machine"
        ),
        ("listen='::1:9460'", "listen: '::1:9460' has an IPv6 address without [ ] around it"),
        (
            "listen='[h]:9460'",
            "listen: '[h]:9460' has something other than an IPv6 address between '[' and ']'"
        ),
        (
            "listen='localhost:1'",
            "listen: 'localhost:1' has a name for a host; wanted an address, such as 127.0.0.1 or [::1]"
        ),
        (
            "listen='300.0.0.1:1'",
            "listen: '300.0.0.1:1' has a name for a host; wanted an address, such as 127.0.0.1 or [::1]"
        ),
        (
            "listen='unix:run/x'",
            "listen: 'unix:run/x' has no absolute path of a socket; wanted one such as unix:/path"
        ),
        (
            "listen='unix:///run/x'",
            "listen: 'unix:///run/x' has slashes that are of a URL; wanted unix: and an absolute path"
        ),
        (
            "listen='unix:/\(String(repeating: "x", count: 103))'",
            "listen: the path of the socket has 104 bytes; at most 103 can be"
        ),
        ("textfile='x.prom'", "textfile: 'x.prom' is not an absolute path"),
        (
            "textfile='/tmp/baton.txt'",
            "textfile: '/tmp/baton.txt' is not read by a node exporter; wanted a path that ends in a name such as "
                + "baton.prom"
        ),
        (
            "textfile='/tmp/.prom'",
            "textfile: '/tmp/.prom' is not read by a node exporter; wanted a path that ends in a name such as "
                + "baton.prom"
        ),
        ("textfile=true", "textfile: is true; wanted a string"),
        ("lisen='h:1'", "lisen: unknown key 'lisen'; did you mean 'listen'?"),
    ])
    func badValues(_ line: String, _ problem: String) throws {
        let bench = try ConfigBench()
        let loaded = bench.loadNode("[metrics]\n\(line)")
        #expect(
            loaded.errors.map { bench.short($0.description) } == ["batond.toml:2: metrics.\(problem)"], "\(line)")
    }

    @Test func aFolderThatIsNotThereIsDoubted() throws {
        let bench = try ConfigBench()
        let loaded = bench.loadNode("[metrics]\ntextfile = '/nonexistent/baton.prom'")
        #expect(loaded.errors == [])
        #expect(
            loaded.warnings.map { bench.short($0.description) } == [
                "batond.toml:2: metrics.textfile: the folder /nonexistent does not exist"
            ])
    }
}
