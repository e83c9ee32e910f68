// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
package import Logging

/// Between the daemon's loggers and where their lines go: what has a kind is an event, whether or not the log's level lets
/// it through.
package struct EventLogHandler: LogHandler {
    private var inner: any LogHandler
    private let events: EventLog
    /// This logger was given a level of its own, and says no more than that, events neither.
    private var hasOwnLevel = false

    package init(_ inner: any LogHandler, _ events: EventLog) {
        self.inner = inner
        self.events = events
    }

    /// No event is below `info`.
    package var logLevel: Logger.Level {
        get { hasOwnLevel ? inner.logLevel : min(inner.logLevel, .info) }
        set {
            inner.logLevel = newValue
            hasOwnLevel = true
        }
    }

    package var metadata: Logger.Metadata {
        get { inner.metadata }
        set { inner.metadata = newValue }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { inner[metadataKey: key] }
        set { inner[metadataKey: key] = newValue }
    }

    package func log(event: LogEvent) {
        if let name = event.metadata?[EventKind.metadataKey], let kind = EventKind(rawValue: "\(name)") {
            events.add(kind, event.level, "\(event.message)", inner.metadata.merging(event.metadata ?? [:]) { $1 })
        }
        if inner.logLevel <= event.level { inner.log(event: event) }
    }
}
