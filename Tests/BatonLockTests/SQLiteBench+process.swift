// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import Testing

/// Other processes at the same file, and the file itself.
extension SQLiteBench {
    /// SQL that makes a file forget all locks.
    static let forgetting =
        ["lock", "fence", "holder", "mark", "epoch", "ledger", "history"].map { "DELETE FROM \($0);" }.joined()

    /// SQL that takes a lock away from its holder, without a release.
    static func deleting(_ keys: LockKeys) -> String {
        "UPDATE lock SET token = x'' WHERE key = \(literal(keys.lock))"
    }

    /// SQL that deletes a ledger. Its history stays.
    static func deletingLedger(_ keys: LockKeys) -> String {
        "DELETE FROM ledger WHERE key = \(literal(keys.ledger))"
    }

    /// SQL that gives a ledger another position.
    static func moving(_ keys: LockKeys, to tick: Int64) -> String {
        "UPDATE ledger SET tick = \(tick) WHERE key = \(literal(keys.ledger))"
    }

    private static func literal(_ key: Bytes) -> String {
        "x'" + key.map { String(format: "%02x", $0) }.joined() + "'"
    }

    /// A copy takes the place of the file; `copying` runs SQL.
    func replaceByCopy(_ copying: (String) async throws -> Void) async throws {
        try await copying("VACUUM INTO '\(folder)/copy.db'")
        unlink(path + "-wal")
        rename(folder + "/copy.db", path)
    }

    /// Runs SQL in another process, as somebody with the sqlite tools would.
    func edit(_ sql: String) async throws {
        let process = try python(
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.executescript(sys.argv[2])",
            sql)
        #expect(await end(of: process) == 0)
    }

    /// Runs `body` while another process is in the middle of a write transaction.
    func holdingTheWriteLock(_ body: () async throws -> Void) async throws {
        let (ready, done) = (Pipe(), Pipe())
        let process = try python(
            """
            import sqlite3, sys
            c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute("BEGIN IMMEDIATE")
            print("ready", flush=True); sys.stdin.read()
            """, output: ready, input: done)
        await elsewhere { _ = ready.fileHandleForReading.availableData }
        try await body()
        try done.fileHandleForWriting.close()
        _ = await end(of: process)
    }

    private func end(of process: Process) async -> Int32 {
        await elsewhere {
            process.waitUntilExit()
            return process.terminationStatus
        }
    }

    /// Waits without one of the few threads that all tests share.
    private func elsewhere<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: body()) }
        }
    }

    func python(
        _ program: String, _ arguments: String..., output: Pipe? = nil, input: Pipe? = nil
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program, path] + arguments
        if let output { process.standardOutput = output }
        if let input { process.standardInput = input }
        try process.run()
        return process
    }

    func write(_ text: String) {
        _ = FileManager.default.createFile(atPath: path, contents: Data(text.utf8))
    }

    func read() -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
