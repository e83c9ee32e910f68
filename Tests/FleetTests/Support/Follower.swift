// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import BatonTestSupport

/// A `batonctl` that goes on, with what it has printed so far.
final class Follower: Sendable {
    private let folder: String
    let pid: Int32
    private let process: Process

    init(_ node: Node, _ arguments: [String]) throws {
        folder = node.folder + "/follower-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        process = Process()
        process.executableURL = URL(fileURLWithPath: Binary.batonctl)
        process.arguments = arguments + ["--socket", node.socket]
        for name in ["out", "err"] { try Data().write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
        try process.run(
            output: FileHandle(forWritingTo: URL(fileURLWithPath: folder + "/out")),
            errors: FileHandle(forWritingTo: URL(fileURLWithPath: folder + "/err")))
        pid = process.processIdentifier
    }

    var output: String { (try? String(contentsOfFile: folder + "/out", encoding: .utf8)) ?? "" }
    var errors: String { (try? String(contentsOfFile: folder + "/err", encoding: .utf8)) ?? "" }

    func code() async throws -> Int32 {
        try await eventually("it ends") { !process.isRunning }
        return process.terminationStatus
    }

    func end() {
        if process.isRunning { process.terminate() }
    }
}
