// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import Testing

@testable import BatonTestSupport

/// A row of the matrix: one method of a `Lock`.
struct WireCall: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var command = "EVALSHA"
    /// Acquiring, or something that needs the lock held.
    var acquires = false
    /// The token is the caller's.
    var token: String?
    var fences = true
    /// The lock never expires by itself.
    var isLasting = false
    /// Gives the lock back.
    var releases = false
    let call: @Sendable (Lock, Lock.Wait) async throws -> Bool

    static let all = [
        acquire("acquire"),
        acquire("acquire without a timeout", isLasting: true),
        acquire("acquire with a token of one's own", token: "mine"),
        acquire("acquire with a token of one's own, plainly", "SET", token: "mine", fences: false),
        acquire("acquire for ever, plainly", "SET", token: "mine", fences: false, isLasting: true),
        WireCall(testDescription: "reacquire") { lock, _ in try await lock.reacquire() },
        WireCall(testDescription: "extend") { lock, _ in try await lock.extend(.seconds(1)) },
        WireCall(testDescription: "locked") { lock, _ in try await lock.locked() },
        WireCall(testDescription: "owned") { lock, _ in try await lock.owned() },
        WireCall(testDescription: "release", releases: true) { lock, _ in
            try await lock.release()
            return true
        },
        WireCall(testDescription: "release without a timeout", isLasting: true, releases: true) { lock, _ in
            try await lock.release()
            return true
        },
    ]

    private static func acquire(
        _ name: String, _ command: String = "EVALSHA", token: String? = nil, fences: Bool = true,
        isLasting: Bool = false
    ) -> WireCall {
        WireCall(
            testDescription: name, command: command, acquires: true, token: token, fences: fences,
            isLasting: isLasting
        ) { lock, wait in
            if let token { try await lock.acquire(wait, token: token) } else { try await lock.acquire(wait) }
        }
    }

    /// The lock's timeout in this column: a sixth of it is how long an answer is waited for, at most a second.
    func timeout(_ column: WireCase) -> Duration? {
        if isLasting { return nil }
        return column.hangs ? WireCell.brief * 6 : .seconds(30)
    }

    /// An acquire that can succeed is given time; what cannot asks once.
    func wait(_ column: WireCase) -> Lock.Wait {
        if case .succeeds = column.expectation { .atMost(.seconds(20)) } else { .no }
    }
}
