// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The largest fence that a node saw of a job, as it stands on its disk (rule S7).
package enum FenceRecord {
    /// The bytes of the file.
    package static func encode(_ fence: Int64) -> Bytes { Bytes("\(fence)".utf8) }

    /// The fence; 0 for what can be none. A floor that no store accepts would keep the node from the job for good, so
    /// that half a file is worse than no file.
    package static func decode(_ bytes: Bytes) -> Int64 {
        guard let fence = Int64(String(decoding: bytes, as: UTF8.self)), isFence(fence) else { return 0 }
        return fence
    }

    /// Whether a store can have granted it.
    package static func isFence(_ number: Int64) -> Bool {
        (0...AcquireRequest.FenceRequest.largest).contains(number)
    }
}
