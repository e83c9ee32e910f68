// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import Logging
import Synchronization

/// How much the daemon says: one level for all of its loggers, changed by a reload.
package final class LogLevel: Sendable {
    private let level: Mutex<Logger.Level>

    package init(_ level: Logger.Level) { self.level = Mutex(level) }

    /// The level by the name that `batond.toml` and `--log-level` use; an unknown name is `info`.
    package convenience init(named name: String) { self.init(Logger.Level(rawValue: name) ?? .info) }

    package var current: Logger.Level { level.withLock { $0 } }

    /// From the next line on.
    func change(to name: String) {
        guard let new = Logger.Level(rawValue: name) else { return }
        level.withLock { $0 = new }
    }
}
