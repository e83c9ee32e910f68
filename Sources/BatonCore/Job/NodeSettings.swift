// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What `batond.toml` declares, checked and with every default filled in.
package struct NodeSettings: Equatable, Sendable {
    /// The node's name; default: the hostname.
    package var name: String
    /// What `[placement]` of a job may ask for.
    package var tags: [String: String]
    /// Runs at once on this node; 0: no limit.
    package var maxRuns: Int
    /// `trace`, `debug`, `info`, `notice`, `warning`, `error`.
    package var logLevel: String
    package var store: StoreSettings
    /// Who starts the keepers of runs.
    package var launcher: LauncherKind
    /// Folders of job files, the later one wins for a file of the same name.
    package var jobDirectories: [String]
    /// `[control] operators`: the group whose members may act on the control socket.
    package var operators: ControlAccess.Group?
    package var metrics: MetricsSettings

    package init(name: String, store: StoreSettings) {
        self.name = name
        self.store = store
        tags = [:]
        maxRuns = 0
        logLevel = "info"
        launcher = .direct
        jobDirectories = []
        operators = nil
        metrics = MetricsSettings()
    }
}

/// What a run's keeper is started by, and in.
package enum LauncherKind: String, Equatable, Sendable, CaseIterable {
    /// batond itself, in a cgroup below its own where it has one.
    case direct
    /// systemd: each run is a transient unit.
    case systemd
}

/// How to reach the store.
package struct StoreSettings: Equatable, Sendable {
    package enum Location: Equatable, Sendable {
        case tcp(host: String, port: Int, tls: Bool)
        case unixSocket(path: String)
        case sqlite(path: String)
    }
    package var location: Location
    /// Database number (`/0` in the URL).
    package var database: Int
    package var username: String?
    /// Read from `password_file`, or from the URL of a file of mode 0600. Never printed.
    package var password: Secret?
    /// A PEM file that replaces the system's certificate authorities.
    package var caFile: String?
    package var prefix: String
    package var maxLockTimeout: Duration
    package var connectTimeout: Duration
    package var requestTimeout: Duration
    /// How many replicas must confirm each grant and renewal; 0: none is waited for.
    package var replicas: Int

    package init(location: Location) {
        self.location = location
        database = 0
        username = nil
        password = nil
        caFile = nil
        prefix = "baton"
        maxLockTimeout = .seconds(30)
        connectTimeout = .seconds(2)
        requestTimeout = .seconds(1)
        replicas = 0
    }

    /// The URL for people: never with a password.
    package var url: String {
        switch location {
        case .tcp(let host, let port, let tls):
            let shown = host.contains(":") ? "[\(host)]" : host
            return "\(tls ? "valkeys" : "valkey")://\(shown):\(port)/\(database)"
        case .unixSocket(let path): return "unix://\(path)"
        case .sqlite(let path): return "sqlite://\(path)"
        }
    }
}

/// A value that no description, log line or error shows.
package struct Secret: Equatable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    package let value: String

    package init(_ value: String) { self.value = value }

    package var description: String { "(redacted)" }
    package var debugDescription: String { "(redacted)" }
}
