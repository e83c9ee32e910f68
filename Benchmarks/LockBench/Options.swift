// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock

/// What is to be measured.
enum Mode: String {
    /// Acquire and release, as often as each line of standard input says; answers with the time it took.
    case pairs
    /// Acquires or releases at each line of standard input; answers with the times before and after.
    case handover
    /// Holds many locks inside `withLock`, and says how much processor time their renewals take.
    case heartbeat
    /// How much memory so many held locks, or waiting tasks, take.
    case memory
}

/// The command line.
struct Options {
    /// Why the command line makes no sense.
    struct Problem: Error { let message: String }

    var mode: Mode
    var store: String
    /// The locks are called so, with a number of two digits (or five, where there are thousands).
    var name = "bench"
    var timeout = Duration.seconds(10)
    var guarded = false
    /// Tasks that run on the store's own executor.
    var onStore = false
    /// For `pairs`: so many tasks, each with a lock of its own.
    var tasks = 1
    /// For `heartbeat` and `memory`: so many locks, or waiting tasks.
    var count = 10_000
    /// For `heartbeat`: for how long the processor time is measured; for `memory`: how long after the last start.
    var seconds = 15
    /// For `memory`: what there are many of.
    var what = Many.held

    init(_ arguments: [String]) throws {
        guard arguments.count >= 3, arguments.count % 2 == 1, let mode = Mode(rawValue: arguments[1]) else {
            throw Problem(message: "lock-bench MODE STORE [--NAME VALUE]…")
        }
        self.mode = mode
        store = arguments[2]
        for index in stride(from: 3, to: arguments.count, by: 2) {
            try set(arguments[index], to: arguments[index + 1])
        }
    }

    private mutating func set(_ option: String, to value: String) throws {
        func parsed<Value>(_ parse: (String) -> Value?) throws -> Value {
            guard let parsed = parse(value) else { throw Problem(message: "\(option) \(value)") }
            return parsed
        }
        switch option {
        case "--name": name = value
        case "--timeout": timeout = .seconds(try parsed { Int($0) })
        case "--guarded": guarded = try parsed { Bool($0) }
        case "--on-store": onStore = try parsed { Bool($0) }
        case "--tasks": tasks = try parsed { Int($0) }
        case "--count": count = try parsed { Int($0) }
        case "--seconds": seconds = try parsed { Int($0) }
        case "--what": what = try parsed { Many(rawValue: $0) }
        default: throw Problem(message: "unknown: \(option)")
        }
    }

    /// The path in `sqlite:PATH`.
    var databasePath: String? {
        store.hasPrefix("sqlite:") ? String(store.dropFirst("sqlite:".count)) : nil
    }

    /// Lock number `index` of these.
    func lock(_ index: Int, digits: Int = 2, on store: any LockStore) throws -> Lock {
        let number = String(index)
        let padding = String(repeating: "0", count: max(0, digits - number.count))
        return try Lock(
            store, name: "\(name):\(padding)\(number)", timeout: timeout, guarded: guarded, maxLockTimeout: timeout)
    }
}
