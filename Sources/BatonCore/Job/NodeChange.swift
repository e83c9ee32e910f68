// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a new `batond.toml` means for the daemon that runs with the old one.
///
/// `[defaults]` is no part of it: its values are in the definitions of the jobs.
package struct NodeChange: Equatable, Sendable {
    /// The keys that count at once.
    package var counting: [String]
    /// The keys that the daemon can take over only when it starts: who it is to others, and where its store is.
    package var waiting: [String]

    package init(counting: [String], waiting: [String]) {
        self.counting = counting
        self.waiting = waiting
    }
}

extension NodeSettings {
    /// The difference between these settings and newer ones.
    package func change(to new: NodeSettings) -> NodeChange {
        func changed(_ keys: [(name: String, isSame: Bool)]) -> [String] { keys.filter { !$0.isSame }.map(\.name) }
        var change = NodeChange(
            counting: changed([
                ("log.level", logLevel == new.logLevel), ("jobs.directories", jobDirectories == new.jobDirectories),
            ]),
            waiting: changed(
                [
                    ("node.name", name == new.name), ("node.launcher", launcher == new.launcher),
                    ("node.tags", tags == new.tags),
                    ("node.max_runs", maxRuns == new.maxRuns), ("control.operators", operators == new.operators),
                    ("metrics.listen", metrics.listen == new.metrics.listen),
                    ("metrics.textfile", metrics.textfile == new.metrics.textfile),
                ]
                    + store.comparison(with: new.store)))
        // What has no name here yet is not known to be changed under a running daemon.
        var rest = new
        (rest.logLevel, rest.jobDirectories) = (logLevel, jobDirectories)
        if rest != self, change.waiting.isEmpty { change.waiting = ["other keys"] }
        return change
    }
}

extension StoreSettings {
    fileprivate func comparison(with new: StoreSettings) -> [(name: String, isSame: Bool)] {
        [
            ("store.url", location == new.location && database == new.database),
            ("store.username", username == new.username),
            ("store.password", password == new.password),
            ("store.ca_file", caFile == new.caFile),
            ("store.prefix", prefix == new.prefix),
            ("store.max_lock_timeout", maxLockTimeout == new.maxLockTimeout),
            ("store.connect_timeout", connectTimeout == new.connectTimeout),
            ("store.request_timeout", requestTimeout == new.requestTimeout),
            ("store.replicas", replicas == new.replicas),
        ]
    }
}
