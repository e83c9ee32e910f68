// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Logging
import Synchronization

/// The largest fence that this node saw of each job, on disk (rule S7): a store that lost its data must not go back.
final class FenceMemory: Sendable {
    private let folder: String
    private let known = Mutex<[String: Int64]>([:])
    private let logger: Logger

    /// - Parameter folder: one small file a job; made if it is missing.
    init(folder: String, logger: Logger) {
        self.folder = folder
        self.logger = logger
    }

    /// The largest fence known; 0 when none is.
    func largest(of job: String) -> Int64 {
        if let fence = known.withLock({ $0[job] }) { return fence }
        let bytes = ((try? Files.read("\(folder)/\(job)", limit: 64)) ?? nil) ?? []  // no file yet, or nothing of use
        let fence = FenceRecord.decode(bytes)
        return known.withLock { known in
            known[job] = max(fence, known[job] ?? 0)
            return known[job] ?? fence
        }
    }

    /// Remembers a fence, if it is larger than what is known.
    func saw(_ fence: Int64, of job: String) {
        guard fence > largest(of: job) else { return }
        known.withLock { $0[job] = max(fence, $0[job] ?? 0) }
        do {
            try Files.write("\(folder)/\(job)", FenceRecord.encode(fence))
        } catch {
            // The fence is still known to the store and to the other nodes.
            logger.warning("fence not written to disk", metadata: ["job": "\(job)", "reason": "\(error)"])
        }
    }
}
