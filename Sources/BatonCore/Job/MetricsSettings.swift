// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Where a node's metrics can be had; nowhere, unless its file says so.
package struct MetricsSettings: Equatable, Sendable {
    /// Where `/metrics`, `/healthz` and `/readyz` are served.
    package var listen: MetricsAddress?
    /// A file for the textfile collector of Prometheus' node exporter.
    package var textfile: String?

    /// Nowhere.
    package init() {}
}

/// An address that a node serves its metrics at.
package enum MetricsAddress: Equatable, Sendable, CustomStringConvertible {
    case tcp(host: String, port: Int)
    case unixSocket(path: String)

    /// What the name of a socket ends in before it is in its place.
    package static let temporarySuffix = ".new"

    /// As `metrics.listen` has it.
    package var description: String {
        switch self {
        case .tcp(let host, let port): (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
        case .unixSocket(let path): "unix:\(path)"
        }
    }
}
