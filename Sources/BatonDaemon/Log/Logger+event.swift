// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
package import Logging

extension Logger {
    /// Logs something of which there is a kind: in the journal it can be found by its `MESSAGE_ID`, and is explained.
    package func log(
        level: Level, _ message: @autoclosure () -> Message, event: EventKind?,
        metadata: @autoclosure () -> Metadata? = nil,
        file: String = #fileID, function: String = #function, line: UInt = #line
    ) {
        log(
            level: level, message(),
            metadata: event.map { kind in
                (metadata() ?? [:]).merging([EventKind.metadataKey: "\(kind.rawValue)"]) { $1 }
            } ?? metadata(),
            file: file, function: function, line: line)
    }
}
