// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc

/// The tables of a job file: `[lock]`, `[stop]`, `[restart]`, `[placement]`, `[output]`; and who reads the others.
extension JobDecoder {
    func decodeTables(_ reader: inout TableReader, _ job: inout JobDefinition) {
        var lock = (timeout: job.lock.timeout, lostGrace: Duration?.none, node: ConfigNode?.none)
        reader.table("lock") { reader in
            if let (duration, node) = reader.duration("timeout") {
                lock.timeout = duration
                lock.node = node
            }
            if let (duration, node) = reader.duration("lost_grace") {
                lock.lostGrace = duration
                lock.node = lock.node ?? node
            }
        }
        job.lock = checked(lock.timeout, lock.lostGrace, at: lock.node, reader)
        reader.table("stop") { decodeStop(&$0, &job.stop) }
        reader.table("restart") { decodeRestart(&$0, &job.restart) }
        reader.table("placement") { decodePlacement(&$0, &job.placement) }
        reader.table("limits") { decodeLimits(&$0, &job.limits) }
        reader.table("sandbox") {
            decodeSandbox(&$0, &job.sandbox)
            if launcher == .direct { $0.reject(Self.sandboxNeedsSystemd) }
        }
        reader.table("output") { decodeOutput(&$0, &job) }
    }

    private func checked(
        _ timeout: Duration, _ lostGrace: Duration?, at node: ConfigNode?, _ reader: TableReader
    ) -> JobDefinition.LockSettings {
        let arithmetic = LeaseArithmetic(timeout: timeout, requestTimeout: store.requestTimeout)
        let grace = lostGrace ?? arithmetic.defaultLostGrace
        let problem = arithmetic.problem(maxLockTimeout: store.maxLockTimeout) ?? arithmetic.problem(lostGrace: grace)
        if let problem {
            if let node {
                reader.reject(node, problem)
            } else {
                // Nobody wrote it: the built-in timeout does not fit the node's settings.
                reader.reject("lock.timeout (the default): \(problem)")
            }
        }
        return JobDefinition.LockSettings(timeout: timeout, lostGrace: grace)
    }

    private func decodeStop(_ reader: inout TableReader, _ stop: inout JobDefinition.StopSettings) {
        if let node = reader.value("signal") {
            switch node.value {
            case .string(let text):
                if let number = SignalName.number(text) {
                    stop.signal = number
                } else {
                    reader.reject(node, "there is no signal '\(text)'; wanted a name such as \"SIGTERM\", or 1 to 64")
                }
            case .integer(let number):
                if (1...64).contains(number) {
                    stop.signal = Int32(number)
                } else {
                    reader.reject(node, "there is no signal \(number); wanted a name such as \"SIGTERM\", or 1 to 64")
                }
            default: reader.reject(node, "is \(node.found); wanted a signal's name or number")
            }
        }
        if let (duration, _) = reader.duration("timeout") { stop.timeout = duration }
    }

    private func decodeRestart(_ reader: inout TableReader, _ restart: inout JobDefinition.RestartSettings) {
        restart.policy = reader.word("policy", "restart policy") ?? restart.policy
        let delay = reader.duration("delay")
        let longest = reader.duration("max_delay")
        restart.delay = delay?.duration ?? restart.delay
        // A long first delay alone means that all are so long.
        restart.maxDelay = longest?.duration ?? max(restart.maxDelay, restart.delay)
        if restart.maxDelay < restart.delay, let node = longest?.node {
            let (most, first) = (DurationText.describe(restart.maxDelay), DurationText.describe(restart.delay))
            reader.reject(node, "max_delay = \(most) is shorter than delay = \(first)")
        }
    }

    private func decodePlacement(_ reader: inout TableReader, _ placement: inout Placement) {
        if let (patterns, node) = reader.strings("nodes") {
            if patterns.isEmpty {
                reader.reject(node, "is empty: no node could run the job; enabled = false says that")
            }
            for pattern in patterns {
                if let reason = Names.problem(ofNodePattern: pattern) { reader.reject(node, reason) }
            }
            placement.nodes = patterns
        }
        placement.require = reader.tags("require") ?? [:]
        placement.prefer = reader.tags("prefer") ?? [:]
    }

    private func decodeOutput(_ reader: inout TableReader, _ job: inout JobDefinition) {
        guard let (text, node) = reader.string("to") else { return }
        switch text {
        case "journal": job.output = .journal
        case "none": job.output = .none
        case let file where file.hasPrefix("file:/") && !file.hasSuffix("/"):
            job.output = .file(String(file.dropFirst(5)))
        default:
            reader.reject(
                node, "'\(text)' is no place for output; wanted \"journal\", \"none\" or \"file:/absolute/path\"")
        }
    }
}
