// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
@testable import BatonTestSupport
import Foundation
import Glibc
import Testing

/// Metrics on a socket and in a file, of real nodes.
@Suite(.serialized, .timeLimit(.minutes(3))) struct MetricsPlaceTests {
    private static let service = "command = ['/bin/sleep', '1000']"

    @Test func aSocketHasItsModeAndReplacesWhatWasLeft() async throws {
        try await withFolder { folder in
            let path = "\(folder)/metrics.sock"
            let node = try RealNode("web-1", in: folder, settings: "[metrics]\nlisten = 'unix:\(path)'")
            try node.job("service", Self.service)
            try node.start()
            try await withNodes([node]) {
                try await eventually("it is there") { access(path, F_OK) == 0 }
                try await scrapes(path)
                node.kill()
                try await eventually("it is gone") { (try? connected(to: path)).map { close($0) } == nil }
                #expect(access(path, F_OK) == 0)
                try node.start()
                try await eventually("it serves again") { (try? connected(to: path)).map { close($0) } != nil }
                try await scrapes(path)
            }
            #expect(access(path, F_OK) != 0 && access(path + ".new", F_OK) != 0)
        }
    }

    private func scrapes(_ path: String) async throws {
        var info = stat()
        #expect(stat(path, &info) == 0 && info.st_mode & 0o777 == 0o660)
        let (status, body) = try await exchange(path, "GET /metrics")
        #expect(status == 200 && body.contains("\nbaton_build_info{"))
    }

    @Test func whatIsNoSocketOrInUseIsNotReplaced() async throws {
        try await withFolder { folder in
            let (file, used) = ("\(folder)/file", "\(folder)/used.sock")
            try writeFile(file, "mine")
            let nodes = try ["a", "b", "c"].map { name in
                try RealNode(name, in: folder, settings: "[metrics]\nlisten = 'unix:\(name == "a" ? file : used)'")
            }
            try nodes[0].start()
            try nodes[1].start()
            try await withNodes(nodes) {
                try await eventually("it says so") {
                    (try? await nodes[0].status())?.warnings
                        .contains("metrics are not served on unix:\(file): replace \(file): File exists") == true
                }
                #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
                try await eventually("b serves") { (try? connected(to: used)).map { close($0) } != nil }
                try nodes[2].start()
                try await eventually("c can't") {
                    (try? await nodes[2].status())?.warnings
                        .contains("metrics are not served on unix:\(used): listen on \(used): Address already in use")
                        == true
                }
                #expect(try await exchange(used, "GET /healthz").status == 200)
                // Nor does it go with who could not have it.
                try await nodes[0].stop()
                try await nodes[2].stop()
                #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
                #expect(try await exchange(used, "GET /healthz").status == 200)
            }
        }
    }

    @Test func aFileIsWrittenAsSoonAsItCanBeAndGoneAfterAStop() async throws {
        try await withFolder { folder in
            let path = "\(folder)/later/baton.prom"
            let node = try RealNode("web-1", in: folder, settings: "[metrics]\ntextfile = '\(path)'")
            try node.job("service", Self.service)
            try node.start()
            try await withNodes([node]) {
                try await eventually("it runs, and says what is wrong") {
                    guard let status = try? await node.status() else { return false }
                    return status.jobs.first?.state == .running
                        && status.warnings.contains(
                            "metrics are not written: create \(path).new: No such file or directory")
                }
                try FileManager.default.createDirectory(
                    atPath: "\(folder)/later", withIntermediateDirectories: false)
                try await eventually("it is tried again", within: .seconds(40)) { access(path, F_OK) == 0 }
                let text = try String(contentsOfFile: path, encoding: .utf8)
                #expect(Page(text: text)["baton_job_running{job=\"service\"}"] == 1)
                var info = stat()
                #expect(stat(path, &info) == 0 && info.st_mode & 0o777 == 0o644)
                #expect(node.log.components(separatedBy: "metrics are not written").count == 2)
                try await eventually("it is no trouble any more") {
                    try await node.status().warnings.allSatisfy { !$0.contains("metrics") }
                }
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/later") == [])
        }
    }
}
