// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// How a store's way to its server, or file, stands. For people and status lines; no decision rests on it.
public enum StoreState: Sendable, Equatable {
    /// Nothing was heard yet.
    case connecting
    /// The last thing heard was an answer.
    case connected
    /// The last attempt failed, and why: a sentence for people.
    case unreachable(String)
}
