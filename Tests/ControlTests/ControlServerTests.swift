// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonDaemon
import Foundation
import Glibc
import ServiceLifecycle
import Testing

@Suite struct ControlServerTests {
    @Test func theStatusIsWhatTheReferenceShows() async throws {
        try await withServer { path async throws in
            let answer = try await exchange(path, "GET /v1/status")
            #expect(answer.status == 200)
            let json = try #require(try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any])
            #expect(Set(json.keys) == ["node", "instance", "version", "store", "jobs", "warnings"])
            let jobs = try #require(json["jobs"] as? [[String: Any]])
            let report = try #require(jobs.first)
            #expect(Set(report.keys) == ["name", "description", "kind", "state", "holder", "run", "last_run"])
            #expect((report["holder"] as? [String: Any])?["fence"] as? Int64 == 1_763_884_800_123_456)
            #expect((report["run"] as? [String: Any])?["lease_until_ms"] as? Int == 12345)
            let last = try #require(report["last_run"] as? [String: Any])
            #expect(last["signal"] is NSNull, "null where it does not apply, as scripts expect")
            #expect(last["exit_code"] as? Int == 3)
            #expect(jobs.map { $0["state"] as? String } == ["running", "standby", "held-down"])
        }
    }

    @Test func oneJobIsFoundByItsPercentEncodedName() async throws {
        try await withServer { path async throws in
            #expect(try await exchange(path, "GET /v1/status/%72eport").body.contains("Nightly report"))
            #expect(try await exchange(path, "GET /v1/status/report").body.contains("\"mail\"") == false)
        }
    }

    @Test(arguments: [
        ("GET /v1/status/nothing", 404, "no job \"nothing\" on this node"),
        ("GET /v1/jobs/nothing/logs", 404, "no job"),
        ("POST /v1/jobs/nothing/stop", 404, "no job"),
        ("POST /v1/jobs/storeless/stop", 503, "refuses connections"),
        ("POST /v1/jobs/broken/run", 500, "the mark was refused"),
        ("POST /v1/jobs/a%1b/run", 400, "not the name of a job"),
        ("POST /v1/jobs/a%2fb/run", 400, "not the name of a job"),
        ("POST /v1/jobs/%ff/run", 400, "not the name of a job"),
        ("GET /v2/status", 404, "Not Found"),
        ("GET /v1/jobs/report/stop", 404, "Not Found"),
    ])
    func everyErrorIsJSONWithItsStatus(_ request: String, _ status: Int, _ text: String) async throws {
        try await withServer { path async throws in
            let answer = try await exchange(path, request)
            #expect(answer.status == status)
            let json = try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: String]
            #expect(json?["error"]?.contains(text) == true, "\(answer.body)")
        }
    }

    @Test func actsReachTheBackend() async throws {
        let backend = FakeBackend()
        try await withServer(backend) { path async throws in
            #expect(try await exchange(path, "POST /v1/jobs/report/stop").status == 200)
            #expect(
                try await exchange(path, "POST /v1/jobs/mail/run").body == "{\"done\":\"run\",\"job\":\"mail\"}\n")
            let asked = try await exchange(path, "POST /v1/jobs/report/run?wait=true")
            #expect(asked.body == "{\"done\":\"run\",\"job\":\"report\",\"request\":41}\n")
        }
        #expect(backend.performed == ["stop report", "run mail", "run report"])
    }

    @Test func aBodyIsBounded() async throws {
        let backend = FakeBackend()
        try await withServer(backend) { path async throws in
            let body = String(repeating: "x", count: 5000)
            #expect(try await exchange(path, "POST /v1/jobs/report/stop", body: body).status == 413)
        }
        #expect(backend.performed.isEmpty)
    }

    @Test func theModeIsPrivateUnlessTheGroupExists() async throws {
        try await withServer { path async throws in
            var facts = stat()
            try #require(stat(path, &facts) == 0)
            let group = geteuid() == 0 ? getgrnam("baton") : nil
            #expect(facts.st_mode & 0o777 == (group == nil ? 0o600 : 0o660))
            if let group { #expect(facts.st_gid == group.pointee.gr_gid) }
        }
    }

    @Test func aStaleSocketIsReplaced() async throws {
        try await withFolder { folder async throws in
            let path = folder + "/control.sock"
            for _ in 0..<2 {
                try writeFile(path, "stale")
                try await withServer(path: path) { path async throws in
                    #expect(try await exchange(path, "GET /v1/status").status == 200)
                }
            }
        }
    }

    @Test func aPathThatDoesNotFitIsRefusedInPlainWords() throws {
        let path = "/tmp/" + String(repeating: "x", count: 100) + "/control.sock"
        let error = #expect(throws: ControlSocketError.self) {
            try ControlServer(
                path: path, backend: FakeBackend(), access: ControlAccess(daemonUser: 0), logger: quietLogger)
        }
        #expect(error?.description.contains("may have 107 bytes") == true)
        #expect(throws: ControlSocketError.self) {
            try ControlServer(
                path: "control.sock", backend: FakeBackend(), access: ControlAccess(daemonUser: 0), logger: quietLogger)
        }
    }

    @Test func aFolderThatIsNotThereIsNamed() async throws {
        let server = try ControlServer(
            path: "/tmp/baton-nowhere-\(getpid())/control.sock", backend: FakeBackend(),
            access: ControlAccess(daemonUser: 0), logger: quietLogger)
        let error = await #expect(throws: ControlSocketError.self) { try await server.run() }
        #expect(error?.description.hasSuffix("control.sock: No such file or directory") == true)
    }

    @Test func aSilentClientDoesNotHoldUpTheShutdown() async throws {
        let (silent, begun) = try await withServer { path async throws in
            let silent = FileHandle(fileDescriptor: try connected(to: path), closeOnDealloc: true)
            try silent.write(contentsOf: Data("POST /v1/jobs/report/stop HTTP/1.1\r\nContent-Length: 5\r\n\r\n".utf8))
            #expect(try await exchange(path, "GET /v1/status").status == 200)
            return (silent, ContinuousClock.now)
        }
        #expect(ContinuousClock.now - begun < .seconds(10))
        try silent.close()
    }
}
