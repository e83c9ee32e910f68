// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// That the store's clock went ahead of this node's, in words.
package struct ClockJump: Equatable, Sendable {
    /// Less ends no run by itself, and is not worth anybody's time.
    package static let worthTelling = Duration.milliseconds(500)

    package var by: Duration
    /// RFC 3339, UTC, by this node's clock.
    package var when: String

    package init(by: Duration, when: String) {
        self.by = by
        self.when = when
    }

    /// For the log and for `explain`.
    package var sentence: String {
        let tenths = by.milliseconds / 100
        return """
            the store's clock went ahead of this node's by \(tenths / 10).\(tenths % 10) s, and leases end that much \
            earlier: this node was paused by its hypervisor, or the store's clock was set forward
            """
    }

    /// For `status`.
    package var warning: String { "at \(when), \(sentence)" }
}
