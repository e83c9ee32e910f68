// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// One line of the answer to `batonctl events`: an event, or how many are missing before the next one. One without either
/// only says that both sides are still there.
package struct EventFrame: Codable, Equatable, Sendable {
    package var event: NodeEvent?
    /// So many events were not shown: the reader was too slow.
    package var dropped: Int?

    package init(event: NodeEvent? = nil, dropped: Int? = nil) {
        self.event = event
        self.dropped = dropped
    }
}
