// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
@testable import BatonTestSupport
import Foundation
import Glibc
import Testing

/// `[metrics]` of real nodes.
@Suite(.serialized, .timeLimit(.minutes(3))) struct MetricsServerTests {
    private static let service = "command = ['/bin/sleep', '1000']"
    private static let everySecond = "command = ['/bin/true']\nschedule = '* * * * * *'"

    @Test func aScrapeShowsTheNodeItsJobsAndTheirRuns() async throws {
        try await withFolder { folder in
            let port = try freePort()
            let node = try RealNode("web-1", in: folder, settings: "[metrics]\nlisten = '127.0.0.1:\(port)'")
            try node.job("service", Self.service)
            try node.job("ticking", Self.everySecond)
            try node.job("broken", "comand = 'x'")
            let before = Date().timeIntervalSince1970
            try node.start()
            try await withNodes([node]) {
                try await eventually("both have run") {
                    guard let page = try? await Page(port) else { return false }
                    return page["baton_job_running{job=\"service\"}"] == 1
                        && page["baton_runs_total{job=\"ticking\",outcome=\"succeeded\"}"] ?? 0 >= 2
                }
                let page = try await Page(port)
                #expect(page["baton_build_info{version=\"\(BatonVersion.current)\"}"] == 1)
                #expect(page["baton_store_up"] == 1 && page["baton_config_last_reload_successful"] == 1)
                #expect(page["baton_jobs{state=\"invalid\"}"] == 1 && page["baton_watchdog_armed"] == 0)
                let lease = page["baton_lease_remaining_seconds{job=\"service\"}"] ?? -1
                #expect(lease > 0 && lease <= 2 && page["baton_lease_timeout_seconds{job=\"service\"}"] == 2)
                #expect(page["baton_runs_total{job=\"ticking\",outcome=\"failed\"}"] == 0)
                #expect(page["baton_missed_ticks_total{job=\"ticking\"}"] != nil)
                #expect(page["baton_last_success_timestamp_seconds{job=\"ticking\"}"] ?? 0 >= before)
                #expect(page["baton_run_duration_seconds_count{job=\"ticking\"}"] ?? 0 >= 2)
                #expect(page["baton_start_skew_seconds_count"] ?? 0 >= 2)
                #expect(page["baton_store_request_duration_seconds_count{request=\"acquire\"}"] ?? 0 >= 2)
                #expect(page["process_resident_memory_bytes"] ?? 0 > 1_000_000 && page["process_open_fds"] ?? 0 > 5)
                #expect(abs((page["process_start_time_seconds"] ?? 0) - before) < 10)
                #expect(page.head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"))
                // Nothing else is to be had there.
                for path in ["/", "/v1/status", "/metrics/x"] {
                    #expect(try await fetch(port, path).status == 404, "\(path)")
                }
                #expect(try await fetch(port, "/metrics", "POST").status != 200)
                #expect(try await fetch(port, "/healthz").status == 200)
                #expect(try await fetch(port, "/readyz").status == 200)

                try node.job("worse", "comand = 'x'")
                #expect(try await batonctl("reload", socket: node.socket).code == 78)
                #expect(try await Page(port)["baton_config_last_reload_successful"] == 0)
            }
            // A server that is gone is noticed at once.
            #expect(throws: NotConnected.self) { close(try connected(toPort: port)) }
        }
    }

    @Test func ticksWithoutARunAreCounted() async throws {
        try await withFolder { folder in
            let port = try freePort()
            let node = try RealNode("web-1", in: folder, settings: "[metrics]\nlisten = '127.0.0.1:\(port)'")
            try node.job("slow", "command = ['/bin/sleep', '2.5']\nschedule = '* * * * * *'")
            try node.job("ticking", Self.everySecond + "\nstart_deadline = '1s'")
            try node.start()
            try await withNodes([node]) {
                try await eventually("ticks are skipped while a run goes on") {
                    guard let page = try? await Page(port) else { return false }
                    return page["baton_skipped_ticks_total{job=\"slow\"}"] ?? 0 >= 2
                        && page["baton_runs_total{job=\"ticking\",outcome=\"succeeded\"}"] ?? 0 >= 1
                }
                #expect(try await Page(port)["baton_skipped_ticks_total{job=\"ticking\"}"] == nil)
                // The run of one of them ends while nobody is there; of the other, some seconds' ticks come to nothing.
                node.kill()
                try await Task.sleep(for: .seconds(4))
                try node.start()
                try await eventually("ticks were missed meanwhile") {
                    guard let page = try? await Page(port) else { return false }
                    return page["baton_missed_ticks_total{job=\"ticking\"}"] ?? 0 >= 2
                }
            }
        }
    }

    @Test(.enabled(if: promtool != nil, "no promtool: Debian's package prometheus has it"))
    func prometheusLikesThePage() async throws {
        try await withFolder { folder in
            let port = try freePort()
            let node = try RealNode("web-1", in: folder, settings: "[metrics]\nlisten = '127.0.0.1:\(port)'")
            try node.job("service", Self.service)
            try node.job("ticking", Self.everySecond)
            try node.start()
            try await withNodes([node]) {
                try await eventually("one has run") {
                    (try? await Page(port))?["baton_run_duration_seconds_count{job=\"ticking\"}"] ?? 0 >= 1
                }
                let page = try await fetch(port, "/metrics").body
                let verdict = try await run(try #require(promtool), ["check", "metrics"], input: page)
                #expect(verdict == Finished(code: 0, out: "", error: ""))
            }
        }
    }

    @Test func aTakeoverAndFilesThatDifferAreSeen() async throws {
        try await withFolder { folder in
            let store = "url = 'sqlite://\(folder)/store.db'"
            let (a, b) = (try freePort(), try freePort())
            let nodes = try [("a", a), ("b", b)].map {
                try RealNode($0, in: folder, store: store, settings: "[metrics]\nlisten = '127.0.0.1:\($1)'")
            }
            for node in nodes { try node.job("job", Self.service) }
            try nodes[0].job("other", "command = ['/bin/true']\nenabled = false")
            try nodes[0].start()
            try await withNodes(nodes) {
                try await eventually("a runs it") {
                    (try? await Page(a))?["baton_job_running{job=\"job\"}"] == 1
                }
                try nodes[1].start()
                try await eventually("b is on standby, and knows a") {
                    guard let page = try? await Page(b) else { return false }
                    return page["baton_jobs{state=\"standby\"}"] == 1 && page["baton_nodes"] == 2
                }
                #expect(try await Page(b)["baton_job_files_differ{job=\"other\"}"] == 1)
                #expect(try await Page(b)["baton_job_files_differ{job=\"job\"}"] == nil)
                // The keeper ends the workload when the lease ends.
                nodes[0].kill()
                try await eventually("b runs it") {
                    (try? await Page(b))?["baton_job_running{job=\"job\"}"] == 1
                }
                #expect(try await Page(b)["baton_takeovers_total{job=\"job\"}"] == 1)
            }
        }
    }

    @Test func aStoreThatIsDownMakesTheNodeNotReadyButWell() async throws {
        try await withFolder { folder in
            let (port, nobody) = (try freePort(), try freePort())
            let node = try RealNode(
                "web-1", in: folder, store: "url = 'valkey://127.0.0.1:\(nobody)'",
                settings: "[metrics]\nlisten = '127.0.0.1:\(port)'")
            try node.job("service", Self.service)
            try node.start()
            try await withNodes([node]) {
                try await eventually("it says why") {
                    guard let answer = try? await fetch(port, "/readyz") else { return false }
                    return answer.status == 503 && answer.body.hasPrefix("store unreachable: ")
                }
                #expect(try await fetch(port, "/healthz").body == "ok\n")
                #expect(try await Page(port)["baton_store_up"] == 0)
            }
        }
    }

    @Test func aLoopThatHangsMakesTheNodeIll() async throws {
        try await withFolder { folder in
            let port = try freePort()
            let node = try RealNode("web-1", in: folder, settings: "[metrics]\nlisten = '127.0.0.1:\(port)'")
            try node.job("service", Self.service)
            try node.job("other", Self.service)
            // As under a systemd that watches, which nobody is.
            try node.start(environment: ["WATCHDOG_USEC": "2000000", "BATON_TEST_WEDGE": "\(folder)/wedge"])
            try await withNodes([node]) {
                try await eventually("it runs") {
                    (try? await Page(port))?["baton_jobs{state=\"running\"}"] == 2
                }
                #expect(try await fetch(port, "/healthz").status == 200)
                #expect(try await Page(port)["baton_watchdog_armed"] == 1)
                try writeFile("\(folder)/wedge", "service")
                try await eventually("it is ill") { try await fetch(port, "/healthz").status == 503 }
                #expect(try await fetch(port, "/healthz").body == "no progress: job service\n")
                // That loop would not hear of a stop.
                node.kill()
            }
        }
    }

    @Test func aPortInUseKeepsNoJobFromRunning() async throws {
        try await withFolder { folder in
            let (port, other) = try listener()
            defer { close(other) }
            let node = try RealNode("web-1", in: folder, settings: "[metrics]\nlisten = '127.0.0.1:\(port)'")
            try node.job("service", Self.service)
            try node.start()
            try await withNodes([node]) {
                var warnings: [String] = []
                try await eventually("it runs, and says what is wrong") {
                    guard let status = try? await node.status() else { return false }
                    warnings = status.warnings
                    return status.jobs.first?.state == .running && warnings.contains { $0.contains("metrics") }
                }
                #expect(warnings.contains("metrics are not served on 127.0.0.1:\(port): Address already in use"))
                #expect(node.log.contains("metrics are not served: the address can't be had"))
                shutdown(other, Int32(SHUT_RDWR))
                close(other)
                try await eventually("it is tried again") {
                    (try? await Page(port))?["baton_job_running{job=\"service\"}"] == 1
                }
                #expect(try await node.status().warnings.allSatisfy { !$0.contains("metrics") })
            }
        }
    }
}

/// A page of metrics.
struct Page {
    var head = ""
    private var samples: [String: Double] = [:]

    init(text: String) {
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            samples[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
    }

    /// What a node has at this port.
    init(_ port: Int) async throws {
        let answer = try await fetch(port, "/metrics")
        guard answer.status == 200 else { throw TestFailure("\(answer)") }
        self.init(text: answer.body)
        head = answer.head.lowercased()
    }

    subscript(_ sample: String) -> Double? { samples[sample] }
}

/// The program that checks metrics and rules; nil: it is not installed.
let promtool: String? = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    .map { String($0) + "/promtool" }.first { access($0, X_OK) == 0 }

/// A port on loopback that somebody listens on, and nobody answers.
private func listener() throws -> (port: Int, descriptor: Int32) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, length) | getsockname(descriptor, $0, &length) | listen(descriptor, 8)
        }
    }
    try #require(result == 0, "\(String(cString: strerror(errno)))")
    return (Int(UInt16(bigEndian: address.sin_port)), descriptor)
}

/// One that nobody listens on, a moment ago.
private func freePort() throws -> Int {
    let (port, descriptor) = try listener()
    close(descriptor)
    return port
}
