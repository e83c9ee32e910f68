// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// Runs a program to its end, without waiting for what it leaves behind.
///
/// - Parameters:
///   - environment: nil: this process's.
///   - limit: how long it may take. Then it is killed, and the test fails: one that hangs would say nothing.
package func run(
    _ program: String, _ arguments: [String], environment: [String: String]? = nil, input: String = "",
    limit: Duration = .seconds(120)
) async throws -> (code: Int32, output: String, errors: String) {
    try expectFewDescriptors()
    // Files, not pipes: a pipe's end may get into a program that is started elsewhere at the same moment, and stays open
    // as long as that one lives.
    let folder = FileManager.default.temporaryDirectory.path + "/baton-run-" + UUID().uuidString.prefix(13)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func path(_ name: String) -> String { folder + "/" + name }
    func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path(name))), as: UTF8.self)
    }
    for (name, text) in [("input", input), ("output", ""), ("errors", "")] {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    }

    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    if let environment { process.environment = environment }
    let (ended, signal) = AsyncStream<Void>.makeStream()
    process.terminationHandler = { _ in signal.finish() }
    try process.run(
        readingFrom: FileHandle(forReadingFrom: URL(fileURLWithPath: path("input"))),
        output: FileHandle(forWritingTo: URL(fileURLWithPath: path("output"))),
        errors: FileHandle(forWritingTo: URL(fileURLWithPath: path("errors"))))

    let hasEnded = await withTaskGroup(of: Bool.self) { group in
        group.addTask {
            for await _ in ended {}
            return !Task.isCancelled
        }
        group.addTask {
            try? await Task.sleep(for: limit)
            return false
        }
        let first = await group.next() ?? false
        group.cancelAll()
        return first
    }
    guard hasEnded else {
        kill(process.processIdentifier, SIGKILL)
        let words = try (text("output") + "\n" + text("errors")).suffix(4000)
        throw TestFailure("\(program) \(arguments) did not end within \(limit): \(words)")
    }
    return (process.terminationStatus, try text("output"), try text("errors"))
}

/// Foundation's `Process` lists the descriptors of this process, copies each entry as if its name had the greatest length,
/// and from some 1,300 on may read beyond its buffer. Whoever leaks them is to be told before.
private func expectFewDescriptors() throws {
    let next = dup(STDERR_FILENO)
    close(next)
    if next > 1000 {
        throw TestFailure("the tests have \(next) open descriptors: some test, or the product, leaks them")
    }
}
