// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import Foundation

/// The tail of a job's output on this node.
package struct RecentOutput: Equatable, Sendable {
    package var bytes: [UInt8]
    /// What the reader should know of it, where it is not what they would take it for.
    package var note: String?

    /// The header that carries the note.
    static let noteHeader = "Baton-Note"

    package init(bytes: [UInt8], note: String? = nil) {
        self.bytes = bytes
        self.note = note
    }
}

extension LogFrame {
    /// Output, as it is.
    package static func output(_ bytes: Bytes) -> LogFrame { .output(base64: Data(bytes).base64EncodedString()) }
}

/// A job's output as it comes: frame after frame, each made when it is asked for. A slow reader is given less, nothing is
/// kept for them.
package protocol FollowedOutput: Sendable {
    /// The next frame, when there is one; nil: the job is gone.
    mutating func next() async throws -> LogFrame?
    /// Nobody follows any more.
    func close()
}
