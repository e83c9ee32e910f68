// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// A machine whose batond gets the store's password from systemd, and whose operators are a group of its own.
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(5))) struct CredentialTests {
    private let password = "Cr3d-4b6d-" + UUID().uuidString
    private let token = "Job-Tok3n-0c1f-" + UUID().uuidString
    private let nodeFile = """
        [log]
        level = "trace"
        [store]
        url = "unix:///run/store/sock"
        password_file = "valkey"
        max_lock_timeout = "15s"
        [control]
        operators = "wheel"
        """

    @Test func thePasswordIsACredentialAndIsSeenByNobody() async throws {
        try #require(geteuid() == 0, "only root can boot a machine")
        let jobs = { (machine: Machine) in
            [
                "keeps": """
                command = ["/usr/bin/test-workload", "\(machine.historyInside)"]
                environment_file = "/etc/baton/keeps.env"
                """,
                "other": "command = [\"/usr/bin/test-workload\", \"\(machine.historyInside)\"]",
            ]
        }
        try await withMachine(nodeFile: nodeFile, jobs: jobs) { machine in
            try await prepare(machine)
            let started = try await machine.enter("systemctl", "start", "batond")
            #expect(started.code == 0, "\(started.errors)")
            try await eventually(within: .seconds(60), "both jobs run, with the password from the credential") {
                try await machine.enter("batonctl", "status").output.matches(of: /running +baton/).count == 2
            }

            // Who may: by the groups that the machine knows.
            #expect(try await batonctl(as: "viewer", "status", machine).code == 0)
            #expect(try await batonctl(as: "viewer", "stop other", machine).code == 77)
            #expect(try await batonctl(as: "viewer", "logs keeps", machine).code == 77)
            #expect(try await batonctl(as: "stranger", "status", machine).code == 77)
            #expect(try await batonctl(as: "admin", "stop other", machine).code == 0)
            #expect(try await batonctl(as: "admin", "logs keeps", machine).code == 0)

            // Nobody else sees the secrets.
            let said = try await said(in: machine)
            #expect(said.contains("request on the control socket refused"))
            #expect(said.contains("operator's request carried out"))
            for secret in [password, token] { #expect(!said.contains(secret.prefix(16))) }
            #expect(Processes.mentioning(password).isEmpty)
            let knowing = Processes.mentioning(token)
            #expect(!knowing.isEmpty)
            #expect(knowing.allSatisfy { Processes.commandLine($0).contains(machine.historyInside) })
            #expect(try await files(with: password, in: machine) == ["/etc/secret", "/etc/store.conf"])
            let spec = try await files(with: token, in: machine).filter { $0 != "/etc/baton/keeps.env" }
            #expect(spec.count == 1)
            for path in spec {
                #expect(path.hasPrefix("/run/baton/runs/keeps/") && path.hasSuffix("/spec"))
                #expect(try await machine.enter("stat", "-c", "%a %U", path).output == "600 root\n")
            }
            #expect(try await machine.enter("systemctl", "stop", "batond").code == 0)
            #expect(try await files(with: token, in: machine) == ["/etc/baton/keeps.env"])
        }
    }

    private func prepare(_ machine: Machine) async throws {
        let script = """
            umask 077
            printf %s '\(password)' >/etc/secret
            printf 'TOKEN=%s\\n' '\(token)' >/etc/baton/keeps.env
            printf 'port 0\\nunixsocket /run/store/sock\\nsave ""\\nrequirepass %s\\n' '\(password)' >/etc/store.conf
            umask 022
            mkdir -p /run/store /etc/systemd/system/batond.service.d
            printf '[Service]\\nLoadCredential=valkey:/etc/secret\\n' >/etc/systemd/system/batond.service.d/secret.conf
            for group in baton wheel; do groupadd -f $group; done
            useradd -M -G baton viewer; useradd -M -G wheel admin; useradd -M stranger
            server=$(command -v valkey-server || command -v redis-server)
            systemctl daemon-reload
            systemd-run --quiet --unit=store $server /etc/store.conf
            """
        let (code, _, errors) = try await machine.enter("sh", "-ec", script)
        #expect(code == 0, "\(errors)")
    }

    /// `batonctl` as a user of the machine, with the groups that its login would have.
    private func batonctl(
        as user: String, _ command: String, _ machine: Machine
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await machine.enter("runuser", "-u", user, "--", "sh", "-c", "batonctl \(command)")
    }

    /// The journal, and what the programs answer.
    private func said(in machine: Machine) async throws -> String {
        var said = try await machine.enter("journalctl", "--no-pager", "-o", "json", "--all").output
        for command in [
            "batonctl status --json", "batonctl status keeps", "batonctl check", "batonctl check --json",
            "batonctl logs keeps", "batonctl logs other", "systemctl status --no-pager --full batond",
            "systemctl show batond", "systemctl cat batond", "ps axeww",
        ] {
            let (_, output, errors) = try await machine.enter("sh", "-c", command)
            // The workload's own environment is what the secret is for.
            said +=
                command.hasPrefix("ps")
                ? output.split(separator: "\n").filter { !$0.contains("BATON_JOB=keeps") }
                    .joined(separator: "\n") : output + errors
        }
        return said
    }

    /// What holds a text, of the files that are the machine's own.
    private func files(with text: String, in machine: Machine) async throws -> [String] {
        // The pattern from a pipe: in an argument it would be found in this command itself.
        let command =
            "printf %s '\(text)' >/dev/shm/pattern; grep -rlsF -f /dev/shm/pattern /etc /run /var/lib /var/log"
        return try await machine.enter("sh", "-c", command + " | grep -v '^/run/credentials/'; rm /dev/shm/pattern")
            .output
            .split(separator: "\n").map(String.init).filter { $0 != machine.historyInside }.sorted()
    }
}
