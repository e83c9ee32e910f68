// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonDaemon
import Foundation
import Glibc
import Logging
import Synchronization
import Testing

/// Who may do what, with real peers: `batonctl` run as other users and groups.
@Suite(.enabled(if: geteuid() == 0, "only root can ask as somebody else")) struct AccessTests {
    /// Groups that this machine need not know.
    private static let viewers = ControlAccess.Group(name: "baton", id: 41_041)
    private static let operators = ControlAccess.Group(name: "wheel", id: 42_042)
    private static let access = ControlAccess(daemonUser: 0, viewers: viewers, operators: operators)

    /// Somebody who asks.
    struct Peer: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var uid = 12345
        var gid = 12345
        var groups: [UInt32] = []
        var right: ControlAccess.Right?
    }

    private static let peers = [
        Peer(testDescription: "root", uid: 0, gid: 0, right: .act),
        Peer(testDescription: "root, without its group", uid: 0, right: .act),
        Peer(testDescription: "an operator by its own group", gid: 42_042, right: .act),
        Peer(testDescription: "an operator by another group", groups: [7, 42_042], right: .act),
        Peer(testDescription: "an operator who may look as well", groups: [41_041, 42_042], right: .act),
        Peer(testDescription: "who may look, by its own group", gid: 41_041, right: .look),
        Peer(testDescription: "who may look, by another group", groups: [41_041, 9], right: .look),
        Peer(testDescription: "who may look, of a hundred groups", groups: Array(100..<200) + [41_041], right: .look),
        Peer(testDescription: "a stranger", groups: [0, 1, 2]),
        Peer(testDescription: "a stranger of root's group", gid: 0),
    ]

    private static let requests: [(verb: [String], needs: ControlAccess.Right)] = [
        (["status"], .look), (["status", "report"], .look), (["status", "--json"], .look), (["logs", "report"], .act),
        (["stop", "report"], .act), (["run", "report"], .act), (["next", "report"], .look),
        (["pause", "report"], .act), (["resume", "report"], .act), (["history", "report"], .look),
        (["history", "report", "--output"], .act), (["events", "report"], .look), (["events", "-n", "3"], .look),
    ]

    private static let acts = ["stop report", "run report", "pause report", "resume report"]

    @Test(arguments: peers)
    func eachMayWhatItsGroupsAllow(peer: Peer) async throws {
        let backend = FakeBackend()
        try await withServer(backend, access: Self.access) { path async throws in
            try await withProgram { program async throws in
                for (verb, needs) in Self.requests {
                    let result = try await run(program, as: peer, verb, path)
                    let may = peer.right.map { $0 >= needs } ?? false
                    #expect(result.code == (may ? 0 : 77), "\(verb): \(result)")
                    if may { continue }
                    #expect(result.out.isEmpty)
                    let who = peer.right == nil ? "not permitted to connect" : "members of group wheel may do this"
                    #expect(result.error.contains(who), "\(result.error)")
                }
            }
        }
        #expect(backend.performed == (peer.right == .act ? Self.acts : []))
    }

    /// The socket's own mode and list keep strangers out; should an administrator open it, they get no answer still.
    @Test func aStrangerGetsNothingThroughAnOpenSocket() async throws {
        let log = Lines()
        let backend = FakeBackend()
        try await withServer(backend, access: Self.access, logger: log.logger) { path async throws in
            chmod(path, 0o666)
            try await withProgram { program async throws in
                let stranger = Peer(testDescription: "", groups: [7])
                for (verb, _) in Self.requests + [(["status", "nothing"], .look)] {
                    let result = try await run(program, as: stranger, verb, path)
                    #expect(result.code == 77)
                    #expect(result.out.isEmpty)
                    #expect(result.error.contains("you are uid 12345"), "\(result.error)")
                    #expect(result.error.contains("may do this"))
                    #expect(!result.error.contains("nothing"))
                }
            }
        }
        #expect(backend.performed.isEmpty)
        #expect(log.all.count == Self.requests.count + 1)
        let refused = "request on the control socket refused"
        #expect(log.all.allSatisfy { $0.hasPrefix(refused) && $0.contains("uid=12345") && $0.contains("gid=12345") })
        #expect(log.all.contains { $0.contains("request=POST /v1/jobs/report/stop") })
    }

    @Test func eachActIsAnEventWithWhoAskedForIt() async throws {
        let log = Lines()
        try await withServer(access: Self.access, logger: log.logger) { path async throws in
            try await withProgram { program async throws in
                let operatorPeer = Peer(testDescription: "", gid: 7, groups: [42_042])
                #expect(try await run(program, as: operatorPeer, ["stop", "report"], path).code == 0)
                #expect(try await run(program, as: operatorPeer, ["run", "broken"], path).code == 1)
                let viewer = Peer(testDescription: "", uid: 5, gid: 41_041)
                #expect(try await run(program, as: viewer, ["stop", "report"], path).code == 77)
                #expect(try await run(program, as: viewer, ["logs", "report"], path).code == 77)
                #expect(try await run(program, as: viewer, ["status"], path).code == 0)
            }
        }
        let lines = log.all.map { $0.replacing(/pid=[1-9][0-9]*/, with: "pid=N") }
        #expect(
            lines == [
                "operator's request carried out act=stop event=operator-acted gid=7 job=report pid=N uid=12345",
                "operator's request failed act=run event=operator-failed gid=7 job=broken pid=N reason=the mark was refused uid=12345",
                "request on the control socket refused event=operator-refused gid=41041 pid=N request=POST /v1/jobs/report/stop uid=5",
                "request on the control socket refused event=operator-refused gid=41041 pid=N request=GET /v1/jobs/report/logs uid=5",
            ])
    }

    @Test func theSocketLetsBothGroupsConnect() async throws {
        func mode(_ access: ControlAccess) async throws -> (mode: mode_t, group: gid_t) {
            try await withServer(access: access) { path async throws in
                var facts = stat()
                try #require(stat(path, &facts) == 0)
                return (facts.st_mode & 0o777, facts.st_gid)
            }
        }
        #expect(try await mode(ControlAccess(daemonUser: 0)) == (0o600, getegid()))
        #expect(try await mode(ControlAccess(daemonUser: 0, viewers: Self.viewers)) == (0o660, 41_041))
        #expect(try await mode(Self.access) == (0o660, 41_041))
        // Without a group baton the operators' group is in the list alone: what looks like the owning group's rights is
        // its mask.
        let access = ControlAccess(daemonUser: 0, operators: Self.operators)
        #expect(try await mode(access) == (0o660, getegid()))
        try await withServer(access: access) { path async throws in
            try await withProgram { program async throws in
                let ofOwningGroup = Peer(testDescription: "", gid: Int(getegid()))
                #expect(try await run(program, as: ofOwningGroup, ["status"], path).code == 77)
                let one = Peer(testDescription: "", groups: [42_042])
                #expect(try await run(program, as: one, ["stop", "report"], path).code == 0)
            }
        }
    }

    /// `batonctl` where any user may run it: a checkout may lie in a folder that only its owner can enter.
    private func withProgram(_ body: (String) async throws -> Void) async throws {
        try await withFolder { folder async throws in
            chmod(folder, 0o755)
            let program = folder + "/batonctl"
            try FileManager.default.copyItem(atPath: try built("batonctl"), toPath: program)
            try await body(program)
        }
    }

    private func run(_ program: String, as peer: Peer, _ verb: [String], _ path: String) async throws -> Finished {
        chmod((path as NSString).deletingLastPathComponent, 0o755)
        let groups =
            peer.groups.isEmpty ? "--clear-groups" : "--groups=" + peer.groups.map { "\($0)" }.joined(separator: ",")
        return try await ControlTests.run(
            "/usr/bin/setpriv",
            ["--reuid=\(peer.uid)", "--regid=\(peer.gid)", groups, program] + verb + ["--socket", path])
    }
}

/// What was logged at `notice` and above, one text for each event.
private final class Lines: Sendable {
    private let kept = Mutex<[String]>([])

    var all: [String] { kept.withLock { $0 } }

    var logger: Logger {
        Logger(label: "test") { _ in Handler(lines: self) }
    }

    private struct Handler: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.notice

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let rest = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
            lines.kept.withLock { $0.append("\(event.message)\(rest)") }
        }
    }
}
