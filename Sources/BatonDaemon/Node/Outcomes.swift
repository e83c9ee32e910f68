// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging
import Synchronization

/// How claimed runs of this node ended, until the store has it (rule S8): on disk, so that it is delivered late rather than
/// never.
final class Outcomes: Sendable {
    /// One outcome on its way.
    struct Pending: Sendable {
        let job: String
        /// With the token and the claim.
        let lease: LeaseRecord
        let record: RunRecord
        /// Before that moment the job's loop is busy with it.
        let notBefore: Instant
    }

    private let folder: String
    private let logger: Logger
    private let pending = Mutex<[String: Pending]>([:])

    /// - Parameter folder: one small file an outcome.
    init(folder: String, logger: Logger) {
        self.folder = folder
        self.logger = logger
        for name in Files.entries(in: folder) {
            guard let outcome = read(name) else {
                Files.remove("\(folder)/\(name)")
                continue
            }
            pending.withLock { $0[name] = outcome }
        }
    }

    /// The outcome of a run, which is asked for until the store has it: made once.
    ///
    /// - Returns: whether it was made now, and is on disk.
    func outcome(
        of runID: String, job: String, lease: LeaseRecord, _ make: () async -> RunRecord
    ) async -> (RunRecord, isNew: Bool) {
        if let known = pending.withLock({ $0[runID] }) { return (known.record, false) }
        let record = await make()
        pending.withLock {
            $0[runID] = Pending(
                job: job, lease: lease, record: record, notBefore: BootClock.now() + lease.timeout)
        }
        do {
            try Files.write("\(folder)/\(runID)", encode(record, job, lease))
        } catch {
            logger.warning(
                "a run's outcome is not on this node's disk", metadata: ["job": "\(job)", "reason": "\(error)"])
        }
        return (record, true)
    }

    /// The store has it.
    func delivered(_ runID: String) {
        if pending.withLock({ $0.removeValue(forKey: runID) }) != nil { Files.remove("\(folder)/\(runID)") }
    }

    /// Delivers what no loop of a job delivers any more, until it is cancelled.
    func deliver(in context: NodeContext) async {
        while !Task.isCancelled {
            let now = BootClock.now()
            for (runID, outcome) in pending.withLock({ $0 }) where outcome.notBefore <= now {
                let lock = context.lock(of: outcome.job, timing: context.timing(of: outcome.lease.timeout))
                do throws(LockError) {
                    for token in outcome.lease.candidates {
                        try await lock.release(token: token, outcome: outcome.record)
                    }
                    delivered(runID)
                    logger.notice(
                        "a run's outcome was delivered late", metadata: ["job": "\(outcome.job)", "run": "\(runID)"])
                } catch {
                    // Kept, whatever the reason: a store that refuses today may have its rights tomorrow.
                    break
                }
            }
            try? await BootClock.sleep(until: BootClock.now() + .seconds(1))  // ended early: cancelled
        }
    }

    // MARK: The files

    /// Job, outcome and the line in hexadecimal, a line each; then the lease record.
    private func encode(_ record: RunRecord, _ job: String, _ lease: LeaseRecord) -> Bytes {
        let words = [job, String(decoding: record.outcome, as: UTF8.self), Hex.text(record.line ?? [])]
        return Bytes((words.joined(separator: "\n") + "\n").utf8) + lease.encode()
    }

    private func read(_ name: String) -> Pending? {
        guard let bytes = (try? Files.read("\(folder)/\(name)", limit: 64 << 10)) ?? nil else { return nil }
        let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, let lease = LeaseRecord(decoding: Bytes(parts[3])), let turn = lease.turn,
            let line = Hex.bytes(String(decoding: parts[2], as: UTF8.self)), !parts[1].isEmpty
        else { return nil }
        return Pending(
            job: String(decoding: parts[0], as: UTF8.self), lease: lease,
            record: RunRecord(run: turn, outcome: Bytes(parts[1]), line: line.isEmpty ? nil : line),
            notBefore: Instant(nanoseconds: 0))
    }
}
