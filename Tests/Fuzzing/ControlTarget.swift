// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonDaemon
import BatonSystem
import Glibc
import Logging

/// A control server that lives as long as the process, and connections to it.
struct ControlTarget {
    private let path: String

    /// Started when it is first asked for; nil: it does not come up.
    static let shared = ControlTarget()

    private init?() {
        path = "/tmp/baton-fuzz-\(getpid()).sock"
        var logger = Logger(label: "fuzz", factory: { _ in SwiftLogNoOpLogHandler() })
        logger.logLevel = .trace
        let access = ControlAccess(daemonUser: geteuid())
        guard let server = try? ControlServer(path: path, backend: MadeUpBackend(), access: access, logger: logger)
        else { return nil }
        // Not a child of anything: who feeds the target is no task, and nobody waits for the server's end.
        Task { try await server.run() }
        for _ in 0..<500 where Glibc.access(path, F_OK) != 0 { usleep(10_000) }
        atexit { unlink("/tmp/baton-fuzz-\(getpid()).sock") }
    }

    /// Says that, and nothing more; what was answered until the connection ended. Nil: it does not end.
    func exchange(_ bytes: Bytes) -> Bytes? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 3, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if connected != 0 { return nil }
        // A server that has heard enough may have closed it.
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        var answer: Bytes = []
        var buffer = Bytes(repeating: 0, count: 1 << 16)
        var isAllSaid = !isWhole(bytes)
        if isAllSaid { shutdown(descriptor, Int32(SHUT_WR)) }
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                answer += buffer[..<count]
                if answer.count > 1 << 20 { return answer }
                continue
            }
            // libFuzzer's clock rings.
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN, !isAllSaid {
                // It only looked whole: the server waits for the rest.
                isAllSaid = true
                shutdown(descriptor, Int32(SHUT_WR))
                continue
            }
            return count == 0 || errno == ECONNRESET ? answer : nil
        }
    }

    /// Whether the server will close the connection by itself, as it seems.
    private func isWhole(_ bytes: Bytes) -> Bool {
        String(decoding: bytes, as: UTF8.self).hasSuffix("\r\nconnection: close\r\n\r\n")
    }
}

/// A daemon of one job.
private struct MadeUpBackend: ControlBackend {
    let events = EventLog(node: "n")

    func status(job: String?) async throws(ControlError) -> StatusReport {
        if let job, job != "report" { throw .unknownJob(job, nearest: "report") }
        return StatusReport(
            node: "n", instance: "i", version: "1", store: .init(url: "sqlite:///f", state: "connected"),
            jobs: [.init(name: "report", state: .running)])
    }

    func logs(job: String) async throws(ControlError) -> RecentOutput {
        RecentOutput(bytes: Array("out\n".utf8), note: job)
    }

    func follow(job: String, lines: Int) async throws(ControlError) -> any FollowedOutput { Ended() }
    func pause(job: String, for duration: Duration?) async throws(ControlError) {}
    func resume(job: String) async throws(ControlError) { throw .failed("no") }
    func stop(job: String) async throws(ControlError) -> StopReport { throw .storeUnreachable("gone") }
    func run(job: String, endsWanted: Bool) async throws(ControlError) -> Int64? { endsWanted ? 41 : nil }
    func request(_ id: Int64, of job: String) async throws(ControlError) -> RequestReport {
        RequestReport(job: job, id: id, state: .waiting)
    }
    func history(job: String, limit: Int) async throws(ControlError) -> HistoryReport {
        HistoryReport(job: job, runs: [HistoryLine(tick: "t", outcome: "missed")])
    }
    func next(job: String, count: Int) async throws(ControlError) -> NextReport {
        NextReport(job: job, ScheduleSettings(.every(seconds: 1)), position: 1, at: 0, count: count)
    }
    func reload() async throws(ControlError) -> ReloadReport { ReloadReport() }
    func difference() async throws(ControlError) -> ReloadReport { throw .draining }
    func nodes() async throws(ControlError) -> NodesReport { NodesReport(node: "n", nodes: [], warnings: []) }
    func explain(job: String) async throws(ControlError) -> Explanation { throw .unknownJob(job) }
    func prepareReplacement() async throws(ControlError) { throw .failed("no") }
    func replace() {}

    private struct Ended: FollowedOutput {
        mutating func next() async throws -> LogFrame? { nil }
        func close() {}
    }
}
