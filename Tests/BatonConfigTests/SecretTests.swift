// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import Glibc
import Testing

/// Where secrets come from, and that no message of the configuration shows one, wherever somebody wrote it.
@Suite struct SecretTests {
    @Test func aRelativePasswordFileIsACredential() throws {
        let bench = try ConfigBench()
        bench.write("valkey", "from systemd\n", mode: 0o400)
        bench.write(bench.node, "[store]\npassword_file = 'valkey'")
        func load(_ credentials: Credentials) -> LoadedNode {
            ConfigLoader(credentials: credentials).loadNode(path: bench.node)
        }
        let found = load(.folder(bench.folder))
        #expect(found.errors == [])
        #expect(found.settings.store.password == Secret("from systemd"))
        #expect(
            load(.folder("/nonexistent")).errors.map { bench.short("\($0)") } == [
                "batond.toml:2: store.password_file: is neither an absolute path nor the name of one of the credentials "
                    + "in /nonexistent"
            ])
        #expect(
            load(.none).errors.map { bench.short("\($0)") } == [
                "batond.toml:2: store.password_file: is not an absolute path, so it names a systemd credential, but batond "
                    + "was given none: the unit needs LoadCredential="
            ])
        let checked = load(.ofAnotherProcess)
        #expect(checked.errors == [])
        #expect(checked.settings.store.password == nil)
        #expect(
            checked.warnings.map { bench.short("\($0)") } == [
                "batond.toml:2: store.password_file: is not checked: only batond itself can read the credentials of its unit"
            ])
    }

    @Test func anAbsoluteCredentialIsThereOnlyWhileBatondRuns() throws {
        let bench = try ConfigBench()
        bench.write(bench.node, "[store]\npassword_file = '/run/credentials/no-such.service/valkey'")
        #expect(ConfigLoader(credentials: .none).loadNode(path: bench.node).errors.count == 1)
        let checked = ConfigLoader(credentials: .ofAnotherProcess).loadNode(path: bench.node)
        #expect(checked.errors == [])
        #expect(checked.warnings.count == 1)
    }

    @Test(arguments: ["a/b", ".", "..", "", "../x"])
    func whatIsNoCredentialsNameIsRefused(name: String) throws {
        let bench = try ConfigBench()
        bench.write(bench.node, "[store]\npassword_file = '\(name)'")
        for credentials in [Credentials.folder(bench.folder), .none, .ofAnotherProcess] {
            #expect(
                ConfigLoader(credentials: credentials).loadNode(path: bench.node).errors.map { bench.short("\($0)") }
                    == [
                        "batond.toml:2: store.password_file: is neither an absolute path nor the name of a systemd credential"
                    ])
        }
    }

    /// What people get wrong with a secret in their hands.
    @Test(arguments: [
        "[store]\npassword_file = 'hunter2'", "[store]\npassword_file = ['hunter2']", "[store]\npassword = 'hunter2'",
        "[store]\nurl = 'valkey://u:hunter2@h'", "[store]\nurl = 'valkey://u:hunter2@h:x'",
        "[store]\nurl = 'valkey://u:hunter2@h/x?'", "[store]\nurl = 'http://u:hunter2@h'",
        "[store]\nurl = 'u:hunter2@h'", "[store]\nurl = 'valkey://u:hunter2@'",
        "[store]\nurl = 'valkey://u:hunter2%@h'",
        "store = 'valkey://u:hunter2@h'", "store = ['valkey://u:hunter2@h']", "store.url.x = 'valkey://u:hunter2@h'",
        "[jobs]\ndirectories = 'valkey://u:hunter2@h'", "[store]\nmax_lock_timeout = 'valkey://u:hunter2@h'",
        "[store]\nurl = 'valkey://u:hunter2@h", "[store]\nurl = valkey://u:hunter2@h",
        "[store]\nurl = 'valkey://h'\nurl = 'valkey://u:hunter2@h'", "[store]\nurl = 'x'\npassword_file = hunter2",
        "[defaults.environment]\nX = ['hunter2']", "[defaults]\nenvironment_file = 'TOKEN=hunter2'",
        "[store]\nca_file = 'valkey://u:hunter2@h'",
    ])
    func noMessageShowsASecret(text: String) throws {
        let bench = try ConfigBench()
        for mode in [mode_t(0o644), 0o600] {
            bench.write(bench.node, text, mode: mode)
            for credentials in [Credentials.folder(bench.folder), .none, .ofAnotherProcess] {
                let loaded = ConfigLoader(credentials: credentials).loadNode(path: bench.node)
                #expect(!"\(loaded.errors)\(loaded.warnings)".contains("hunter2"), "\(loaded.errors)")
            }
        }
    }

    @Test(arguments: [
        "-----BEGIN KEY-----\nhunter2+abc==\n", "export TOKEN=hunter2", "hunter2", "TOKEN='hunter2",
        "TOKEN=hunter2\0",
    ])
    func noMessageAboutAnEnvironmentFileShowsASecret(text: String) throws {
        let bench = try ConfigBench()
        let path = bench.write("secrets", text, mode: 0o600)
        let problems = bench.problems(ofJob: "shell = 'true'\nenvironment_file = '\(path)'")
        #expect(problems.count == 1)
        #expect(!"\(problems)".contains("hunter2"), "\(problems)")
    }

    @Test func operatorsAreAGroupOfThisMachine() throws {
        let bench = try ConfigBench()
        #expect(bench.loadNode("").settings.operators == nil)
        #expect(bench.loadNode("control.operators = 'root'").settings.operators == .init(name: "root", id: 0))
        for number in ["4242", "'4242'"] {
            let loaded = bench.loadNode("control.operators = \(number)")
            #expect(loaded.errors == [])
            #expect(loaded.settings.operators == .init(name: "4242", id: 4242))
        }
    }

    @Test(arguments: [
        (
            "[control]\noperators = 'no-such-group'",
            "batond.toml:2: control.operators: there is no group 'no-such-group' on this machine"
        ),
        ("[control]\noperators = ''", "batond.toml:2: control.operators: there is no group '' on this machine"),
        ("[control]\noperators = -1", "batond.toml:2: control.operators: there is no group '-1' on this machine"),
        (
            "[control]\noperators = 65534",
            "batond.toml:2: control.operators: '65534' cannot be: the kernel shows every group that it has no number for "
                + "as 65534"
        ),
        ("[control]\noperators = ['a']", "batond.toml:2: control.operators: is an array; wanted a name or a number"),
        (
            "[control]\noperator = 'a'",
            "batond.toml:2: control.operator: unknown key 'operator'; did you mean 'operators'?"
        ),
    ])
    func badOperatorsSayWhy(text: String, wanted: String) throws {
        #expect(try ConfigBench().problems(ofNode: text) == [wanted])
    }
}
