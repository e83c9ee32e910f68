// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Logging
import Synchronization

/// The largest fence, or the largest tick, that this node saw of each job, on disk (rule S7): a store that lost its data must
/// not go back.
final class FloorMemory: Sendable {
    private let folder: String
    private let known = Mutex<[String: Int64]>([:])
    /// Held while a file is written, so that the last one has the largest number.
    private let writing = Mutex<Void>(())
    private let logger: Logger

    /// - Parameter folder: one small file a job.
    init(folder: String, logger: Logger) {
        self.folder = folder
        self.logger = logger
    }

    /// The largest one known; 0 when none is.
    func largest(of job: String) -> Int64 {
        if let fence = known.withLock({ $0[job] }) { return fence }
        let bytes = ((try? Files.read("\(folder)/\(job)", limit: 64)) ?? nil) ?? []  // no file yet, or nothing of use
        let fence = FenceRecord.decode(bytes)
        return known.withLock { known in
            known[job] = max(fence, known[job] ?? 0)
            return known[job] ?? fence
        }
    }

    /// Remembers one, if it is larger than what is known.
    func saw(_ number: Int64, of job: String) {
        guard number > largest(of: job) else { return }
        known.withLock { $0[job] = max(number, $0[job] ?? 0) }
        do throws(SystemError) {
            try writing.withLock { _ throws(SystemError) in
                try Files.write("\(folder)/\(job)", FenceRecord.encode(largest(of: job)))
            }
        } catch {
            // It is still known to the store and to the other nodes.
            logger.warning(
                "what this node saw of a job is not on its disk", metadata: ["job": "\(job)", "reason": "\(error)"])
        }
    }
}
