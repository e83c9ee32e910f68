// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import BatonSQLite
import BatonValkey
import Glibc

/// Baton's side of `Benchmarks/lock.py`, which starts it, tells it what to do on standard input, and reads the figures
/// from standard output:
///
///     lock-bench MODE STORE [--NAME VALUE]…
///
/// STORE is the URL of a server, or `sqlite:PATH`. The modes are `Mode`'s cases; the options are `Options`' members.
@main
@MainActor  // Standard input is read on the main thread: the threads of the tasks that are measured stay free.
struct LockBench {
    static func main() async throws {
        let options = try Options(CommandLine.arguments)
        if let path = options.databasePath {
            let store = SQLiteStore(path: path, maxLockTimeout: options.timeout)
            try await run(options, on: store, executor: options.onStore ? store.executor : nil)
            await store.close()
        } else {
            try await withValkeyStore(url: options.store) { store in
                try await run(options, on: store, executor: options.onStore ? store.executor : nil)
            }
        }
    }

    private static func run(_ options: Options, on store: any LockStore, executor: (any TaskExecutor)?) async throws {
        switch options.mode {
        case .pairs: try await pairs(options, on: store, executor: executor)
        case .handover: try await handover(options, on: store, executor: executor)
        case .heartbeat: try await heartbeat(options, on: store)
        case .memory: try await memory(options, on: store)
        }
    }

    /// Says something to the script at once.
    static func tell(_ words: Any...) {
        print(words.map { "\($0)" }.joined(separator: " "))
        fflush(nil)
    }
}
