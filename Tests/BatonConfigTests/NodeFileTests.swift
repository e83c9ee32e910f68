// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import Glibc
import Testing

@Suite struct NodeFileTests {
    @Test func everyKeyOfAGoodFileIsRead() throws {
        let bench = try ConfigBench()
        bench.write("password", "secret word\n", mode: 0o600)
        bench.write("ca.pem", "x")
        let loaded = bench.loadNode(
            """
            [node]
            name = "web-1"
            [log]
            level = "debug"
            [store]
            url = "valkeys://valkey.example:7000/3"
            prefix = "fleet.1"
            max_lock_timeout = "1m"
            username = "baton"
            password_file = "\(bench.folder)/password"
            ca_file = "\(bench.folder)/ca.pem"
            connect_timeout = "3s"
            request_timeout = "500ms"
            replicas = 2
            [jobs]
            directories = ["\(bench.folder)/jobs.d", "/nonexistent/jobs"]
            [defaults.lock]
            timeout = "20s"
            """)
        var store = StoreSettings(location: .tcp(host: "valkey.example", port: 7000, tls: true))
        store.database = 3
        store.username = "baton"
        store.password = Secret("secret word")
        store.caFile = bench.folder + "/ca.pem"
        store.prefix = "fleet.1"
        store.maxLockTimeout = .seconds(60)
        store.connectTimeout = .seconds(3)
        store.requestTimeout = .milliseconds(500)
        store.replicas = 2
        var wanted = NodeSettings(name: "web-1", store: store)
        wanted.logLevel = "debug"
        wanted.jobDirectories = [bench.jobs, "/nonexistent/jobs"]
        #expect(loaded.errors == [])
        #expect(loaded.settings == wanted)
        #expect(
            loaded.warnings.map { bench.short($0.description) } == [
                "batond.toml:16: jobs.directories: the folder /nonexistent/jobs does not exist"
            ])
        #expect(!"\(loaded)".contains("secret word"))
    }

    @Test func anEmptyFileHasEveryDefaultAndTheCommandLineWins() throws {
        let bench = try ConfigBench()
        let overrides = NodeOverrides(name: "me", logLevel: "trace", stateDirectory: "/state")
        let loaded = bench.loadNode("", overrides: overrides)
        #expect(loaded.errors == [])
        #expect(loaded.settings.name == "me")
        #expect(loaded.settings.logLevel == "trace")
        #expect(loaded.settings.store == StoreSettings(location: .sqlite(path: "/state/baton.db")))
        #expect(loaded.settings.jobDirectories == ["/usr/lib/baton/jobs.d", bench.jobs])
        #expect(!bench.loadNode("").settings.name.isEmpty)
        unlink(bench.node)
        #expect(ConfigLoader().loadNode(path: bench.node, mayBeMissing: true).errors == [])
        #expect(
            ConfigLoader().loadNode(path: bench.node).errors.map { bench.short($0.description) } == [
                "batond.toml: cannot be read: No such file or directory"
            ])
    }

    @Test(arguments: [
        (
            "node.name='a b'",
            "batond.toml:1: node.name: 'a b' cannot be a node's name; wanted 1 to 64 letters, digits and . _ -"
        ),
        (
            "log.level='loud'",
            "batond.toml:1: log.level: 'loud' is no log level; wanted one of trace, debug, info, notice, "
                + "warning, error, critical"
        ),
        ("[metrcs]\nlisten='x'", "batond.toml:1: metrcs: unknown key 'metrcs'; did you mean 'metrics'?"),
        (
            "[node]\nlauncher='docker'",
            "batond.toml:2: node.launcher: 'docker' is no launcher; wanted one of \"direct\", \"systemd\""
        ),
        (
            "[store]\nhistory_lines=1",
            "batond.toml:2: store.history_lines: is not supported by this version of Baton yet"
        ),
        (
            "[store]\nreplicas=1",
            "batond.toml:2: store.replicas: is 1, but the store is an SQLite file, which has no replicas"
        ),
        (
            "[store]\nurl='valkey://h'\nreplicas=-1",
            "batond.toml:3: store.replicas: -1 replicas cannot be; wanted 0, which waits for none, to 100: all that "
                + "may be promoted"
        ),
        (
            "[store]\nurl='valkey://h'\nreplicas='2'",
            "batond.toml:3: store.replicas: is the string \"2\"; wanted an integer"
        ),
        ("[stor]\nurl='x'", "batond.toml:1: stor: unknown key 'stor'; did you mean 'store'?"),
        (
            "[store]\nprefix='{x}'",
            "batond.toml:2: store.prefix: '{x}' cannot be a prefix; wanted 1 to 64 letters, digits and . _ -"
        ),
        (
            "[store]\nmax_lock_timeout='10ms'",
            "batond.toml:2: store.max_lock_timeout: 10ms is too short: it must be at least 1s"
        ),
        ("[store]\nrequest_timeout='0s'", "batond.toml:2: store.request_timeout: must be longer than 0s"),
        (
            "[store]\npassword_file='/nonexistent'",
            "batond.toml:2: store.password_file: /nonexistent: cannot be read: No such file or directory"
        ),
        (
            "[store]\nca_file='/nonexistent'",
            "batond.toml:2: store.ca_file: /nonexistent cannot be read: No such file or directory"
        ),
        ("jobs.directories=['x']", "batond.toml:1: jobs.directories: 'x' is not an absolute path"),
        ("defaults=1", "batond.toml:1: defaults: is the integer 1; wanted a table, [defaults]"),
        (
            "[defaults.lock]\ntimeout='40s'",
            "batond.toml:2: defaults.lock.timeout: 40s is longer than store.max_lock_timeout = 30s"
        ),
        ("[defaults]\nnicee=1", "batond.toml:2: defaults.nicee: unknown key 'nicee'; did you mean 'nice'?"),
        (
            "[store]\nurl='valkey://u:hunter2@h'",
            "batond.toml:2: store.url: has a password in it, and others can read this file (mode 644): use password_file, or chmod 600"
        ),
        (
            "[store]\nurl='valkey://:hunter2@h:x'",
            "batond.toml:2: store.url: has a port that is not a number from 1 to 65535"
        ),
        (
            "[store]\nurl='valkey+sentinel://h'",
            "batond.toml:2: store.url: valkey+sentinel:// is not supported by this version of Baton yet"
        ),
        (
            "[store]\nurl='http://h'",
            "batond.toml:2: store.url: has the unknown scheme http://; wanted valkey://, valkeys://, unix:// or "
                + "sqlite://"
        ),
    ])
    func aBadFileSaysWhereAndWhy(text: String, wanted: String) throws {
        // The folder that does not exist is a warning beside the error.
        #expect(try ConfigBench().problems(ofNode: text) == [wanted])
    }

    @Test func aPasswordInTheURLNeedsAPrivateFile() throws {
        let bench = try ConfigBench()
        let loaded = bench.loadNode("[store]\nurl='redis://u%40x:p%3Aw@[::1]:7/2'", mode: 0o600)
        #expect(loaded.errors == [])
        #expect(loaded.settings.store.location == .tcp(host: "::1", port: 7, tls: false))
        #expect(loaded.settings.store.username == "u@x")
        #expect(loaded.settings.store.password == Secret("p:w"))
        #expect(loaded.settings.store.url == "valkey://[::1]:7/2")
        bench.write("password", "other", mode: 0o600)
        let both = bench.problems(
            ofNode: "[store]\nurl='redis://u:p@h'\nusername='v'\npassword_file='\(bench.folder)/password'", mode: 0o600)
        #expect(
            both == [
                "batond.toml:3: store.username: is given here and in the url; one of them is enough",
                "batond.toml:4: store.password_file: is given, and a password in the url; one of them is enough",
            ])
    }

    @Test(arguments: [
        ("valkey://h", StoreSettings.Location.tcp(host: "h", port: 6379, tls: false)),
        ("rediss://h:1/", .tcp(host: "h", port: 1, tls: true)),
        ("unix:///run/valkey.sock", .unixSocket(path: "/run/valkey.sock")),
        ("sqlite:///var/lib/baton/baton.db", .sqlite(path: "/var/lib/baton/baton.db")),
    ])
    func goodURLs(text: String, wanted: StoreSettings.Location) throws {
        let loaded = try ConfigBench().loadNode("store.url='\(text)'")
        #expect(loaded.errors == [])
        #expect(loaded.settings.store.location == wanted)
    }

    @Test(arguments: [
        "", "valkey", "valkey://", "valkey://:1", "valkey://h:0", "valkey://h:65536", "valkey://::1", "valkey://[::1",
        "valkey://[::1]x", "valkey://h/x", "valkey://h/-1", "valkey://h?x=1", "valkey://a b", "valkey://%zz@h",
        "valkey://u:@h", "unix://run/x", "sqlite://x", "sqlite:///x/", "sqlite:", "://h",
    ])
    func badURLs(text: String) throws {
        let problems = try ConfigBench().problems(ofNode: "store.url='\(text)'", mode: 0o600)
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("batond.toml:1: store.url: ") == true)
    }

    @Test(arguments: [
        ("", 0o600, "is empty; wanted a password"),
        ("x\ny", 0o600, "has more than one line, or a NUL byte; wanted a password"),
        ("x", 0o644, "can be read by everyone on this machine; chmod it to 600 or 640"),
        (String(repeating: "x", count: 5000), 0o600, "is too large for a password"),
    ])
    func badPasswordFiles(text: String, mode: Int, wanted: String) throws {
        let bench = try ConfigBench()
        bench.write("password", text, mode: mode_t(mode))
        let problems = bench.problems(ofNode: "[store]\npassword_file='\(bench.folder)/password'")
        #expect(problems == ["batond.toml:2: store.password_file: password: \(wanted)"])
    }
}
