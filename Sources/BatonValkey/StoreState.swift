// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Whether the store can be asked, for `status`.
package enum StoreState: Equatable, Sendable, CustomStringConvertible {
    /// The first attempt is not over.
    case connecting
    /// The last thing heard of the connection was good.
    case connected
    /// The last attempt failed, or the connection broke, and why; it is being tried again.
    case unreachable(String)

    /// As `batonctl status` shows it.
    package var description: String {
        switch self {
        case .connecting: "connecting"
        case .connected: "connected"
        case .unreachable(let reason): "unreachable: \(reason)"
        }
    }
}
