// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging

/// What every job of a node shares.
struct NodeContext: Sendable {
    let name: String
    let tags: [String: String]
    let room: RunRoom
    /// Random, per life of the daemon.
    let instance: String
    let store: any LockStore
    let storeSettings: StoreSettings
    let runs: Runs
    let fences: FloorMemory
    let ticks: FloorMemory
    let outcomes: Outcomes
    let marks: MarkMemory
    let recollection: Recollection
    let board: StatusBoard
    let pulse: WatchdogPulse
    let metrics: NodeMetrics
    let logger: Logger

    var profile: NodeProfile { NodeProfile(name: name, tags: tags) }

    func logger(of job: String) -> Logger {
        var logger = logger
        logger[metadataKey: "job"] = "\(job)"
        return logger
    }

    /// Whether this node runs a job, or stands by for it, by the job's file.
    func competes(_ job: JobDefinition) -> Bool { Standing(of: job, on: profile) == .competes }

    /// The lock of a job, as the daemon asks for it: guarded, with a fence, heeding marks.
    func lock(of job: String, timing: LeaseTiming) -> LockClient {
        LockClient(
            store: store, keys: LockKeys(prefix: storeSettings.prefix, job: job), name: job,
            policy: LockPolicy(
                timing: timing, guarding: .init(maxLockTimeout: storeSettings.maxLockTimeout), fences: true,
                heedsMarks: true))
    }

    /// The arithmetic of a job's lease on this machine.
    func timing(of timeout: Duration) -> LeaseTiming {
        LeaseTiming(
            timeout: timeout, killLatency: runs.killLatency, requestTimeout: storeSettings.requestTimeout)
    }
}
