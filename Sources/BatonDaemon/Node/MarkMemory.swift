// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging
import Synchronization

/// The marks that stand beside the locks of this node's jobs, on disk: a store that lost its data has them put back before
/// it elects anybody (rule S3), by whichever node comes first.
final class MarkMemory: Sendable {
    private struct State {
        var marks: [String: RememberedMark] = [:]
        /// Something was announced about these jobs: perhaps a mark.
        var announced: Set<String> = []
    }

    private let folder: String
    private let logger: Logger
    private let state: Mutex<State>

    /// How long a change that was not made on this node may be unknown to it.
    private static let period = Duration.seconds(5)

    /// - Parameter folder: one small file a job.
    init(folder: String, logger: Logger) {
        self.folder = folder
        self.logger = logger
        var marks: [String: RememberedMark] = [:]
        for job in Files.entries(in: folder) {
            // Nothing of use is as nothing at all: the store knows, unless it loses its data too.
            guard let bytes = (try? Files.read("\(folder)/\(job)", limit: 4096)) ?? nil else { continue }
            marks[job] = RememberedMark(decoding: bytes)
        }
        state = Mutex(State(marks: marks))
    }

    /// It stands, by the store.
    func saw(_ mark: Mark, of job: String) {
        // In the place of one that is remembered, and is not any more.
        guard let remembered = RememberedMark(mark, now: WallClock.microseconds()) else { return forget(job) }
        let isNew = state.withLock { $0.marks[job].map { !$0.isSame(as: remembered) } ?? true }
        if !isNew { return }
        do {
            try Files.write("\(folder)/\(job)", remembered.encode())
            state.withLock { $0.marks[job] = remembered }
        } catch {
            // The store has it, and so may other nodes.
            logger.warning("a mark is not on this node's disk", metadata: ["job": "\(job)", "reason": "\(error)"])
        }
    }

    /// Nothing stands any more.
    func forget(_ job: String) {
        if state.withLock({ $0.marks.removeValue(forKey: job) }) != nil { Files.remove("\(folder)/\(job)") }
    }

    /// What is known of a job may have changed.
    func announced(_ job: String) { _ = state.withLock { $0.announced.insert(job) } }

    /// Looks after the marks until it is cancelled.
    func keep(in context: NodeContext) async {
        let period = min(Self.period, context.storeSettings.maxLockTimeout / 4)
        while !Task.isCancelled {
            let jobs = state.withLock { state in
                defer { state.announced = [] }
                return state.announced.union(state.marks.keys)
            }
            var rest = jobs
            // Of a job that this node does not have, it is kept as it was: it may come back.
            for job in jobs.sorted() where !Task.isCancelled && context.board.job(job) != nil {
                do throws(LockError) {
                    try await compare(job, in: context)
                } catch  where error.isPassing {
                    // Asked again: the store does not answer now.
                    for job in rest { announced(job) }
                    break
                } catch {}  // it refuses for good, which the job's own loop says
                rest.remove(job)
            }
            try? await BootClock.sleep(until: BootClock.now() + period)  // ended early: cancelled
        }
    }

    /// What the store says, and what this node remembers.
    private func compare(_ job: String, in context: NodeContext) async throws(LockError) {
        let lock = context.lock(of: job, timing: context.timing(of: context.storeSettings.maxLockTimeout))
        if let mark = try await lock.look().mark { return saw(mark, of: job) }
        guard let known = state.withLock({ $0.marks[job] }) else { return }
        guard let mark = known.mark(at: WallClock.microseconds()),
            try await lock.store.restoreMark(mark, on: lock.keys, timeout: lock.policy.answerTimeout)
        else { return forget(job) }
        logger.notice(
            "a mark was put back: the store had lost it",
            metadata: ["job": "\(job)", "mark": "\(mark.kind.rawValue)", "by": "\(mark.by)"])
    }
}
