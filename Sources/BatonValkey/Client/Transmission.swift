// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import NIOCore

/// Commands that travel together, and the one who waits for their replies. Confined to the client's event loop.
final class Transmission {
    /// The commands, as bytes, one after the other.
    let bytes: ByteBuffer
    /// How many replies there will be.
    let count: Int
    /// An error of the first command is the answer of all.
    let isDecidedByFirst: Bool
    /// The last command waits for replicas to confirm what the first one did; if that is nothing, nobody waits for it.
    let isConfirmed: Bool
    /// When the caller stops waiting.
    let deadline: NIODeadline
    /// When it was written; nil while it waits for a connection.
    var written: NIODeadline?

    private var replies: [Reply] = []
    /// The replies so far that are errors.
    var errors: [ServerError] {
        replies.compactMap { if case .error(let message) = $0 { ServerError(message) } else { nil } }
    }
    /// The only reply so far, if that is an error.
    var refusal: ServerError? { replies.count == 1 ? errors.first : nil }
    private var continuation: CheckedContinuation<Result<[Reply], LockError>, Never>?

    init(
        _ commands: Commands, isDecidedByFirst: Bool = false, isConfirmed: Bool = false, deadline: NIODeadline,
        continuation: CheckedContinuation<Result<[Reply], LockError>, Never>
    ) {
        bytes = commands.bytes
        count = commands.count
        self.isDecidedByFirst = isDecidedByFirst
        self.isConfirmed = isConfirmed
        self.deadline = deadline
        self.continuation = continuation
    }

    /// Whether somebody still waits. Replies that come later are dropped, in their place.
    var isAwaited: Bool { continuation != nil }

    /// Takes the next reply in; true when it was the last one.
    func take(_ reply: Reply) -> Bool {
        replies.append(reply)
        // The connection may end before the rest comes, because of this very error.
        if isDecidedByFirst, replies.count == 1, case .error = reply { finish(.success(replies)) }
        if isConfirmed, replies.count == count - 1, !replies[0].isYes { finish(.success(replies)) }
        if replies.count < count { return false }
        finish(.success(replies))
        return true
    }

    /// Hands the outcome to the one who waits; only the first one counts.
    func finish(_ outcome: Result<[Reply], LockError>) {
        continuation?.resume(returning: outcome)
        continuation = nil
    }
}
