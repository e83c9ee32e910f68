// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// How a store's way to its server, or file, stands. For people and status lines; no decision rests on it.
public enum StoreState: Sendable, Equatable, CustomStringConvertible {
    /// Nothing was heard yet.
    case connecting
    /// The last thing heard was an answer.
    case connected
    /// The last attempt failed, and why: a sentence for people.
    case unreachable(String)

    /// As `batonctl status` shows it.
    public var description: String {
        switch self {
        case .connecting: "connecting"
        case .connected: "connected"
        case .unreachable(let reason): "unreachable: \(reason)"
        }
    }
}
