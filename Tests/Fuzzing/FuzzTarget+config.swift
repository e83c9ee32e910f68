// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

@testable import BatonConfig
@testable import BatonDaemon
@testable import BatonValkey

/// The files of a node.
extension FuzzTarget {
    func fuzzTOML(_ input: Bytes) throws {
        do {
            let root = try TOMLText.parse(input, path: "f")
            let again = try TOMLText.parse(input, path: "f")
            try require(ConfigDigest(root).value == ConfigDigest(again).value, "read twice, two digests")
        } catch let problem as ConfigProblem {
            try requireHelpful(problem, in: input)
        }
    }

    /// With a NUL byte in it: what is before it is the node's `[defaults]`.
    func fuzzJob(_ input: Bytes) throws {
        let parts = input.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false).map(Bytes.init)
        guard let own = try? TOMLText.parse(parts[parts.count - 1], path: "own") else { return }
        let defaults = parts.count == 2 ? try? TOMLText.parse(parts[0], path: "defaults") : nil
        for launcher in LauncherKind.allCases {
            let log = ProblemLog()
            let decoder = JobDecoder(
                name: "report", store: StoreSettings(location: .sqlite(path: "/f")), launcher: launcher, user: 0,
                log: log)
            if let defaults { _ = decoder.decode(defaults, needsCommand: false) }
            let job = decoder.decode(defaults?.below(own) ?? own)
            log.sort()
            for problem in log.problems { try require(!problem.description.isEmpty, "a problem without words") }
            guard !log.hasErrors else { continue }
            guard let job else { throw Violation(description: "neither a job nor a problem") }
            try requireRunnable(job)
        }
    }

    private func requireRunnable(_ job: JobDefinition) throws {
        try require(job.lock.lostGrace < job.lock.timeout, "TERM before the lease begins")
        try require(job.lock.timeout >= .seconds(1), "T = \(job.lock.timeout)")
        try require(job.restart.delay <= job.restart.maxDelay, "restart.delay above restart.max_delay")
        for failures in [0, 1, 63, Int.max] {
            let mark = job.restart.mark(
                after: .exited(1), ranFor: .zero, failures: min(failures, 1 << 53), jitter: 0.999, by: "n")
            try require((mark?.remaining ?? .zero) <= job.restart.maxDelay, "a pause beyond restart.max_delay")
        }
        let record = LeaseRecord(token: [1], fence: 1, timeout: job.lock.timeout)
        guard var spec = try? LaunchSpec(job, runID: "r", record: record, node: "n") else { return }
        // A third of a nanosecond is not written down.
        spec.lostGrace = .nanoseconds(spec.lostGrace.nanoseconds)
        spec.stopTimeout = .nanoseconds(spec.stopTimeout.nanoseconds)
        try requireRoundTrip(spec, { $0.encode() }, { try LaunchSpec(decoding: $0) })
    }

    func fuzzNode(_ input: Bytes) throws {
        guard let root = try? TOMLText.parse(input, path: "f") else { return }
        let log = ProblemLog()
        let decoder = NodeDecoder(
            path: "/etc/baton/batond.toml", mode: 0o600, user: 0, overrides: NodeOverrides(), credentials: .none,
            log: log)
        let (settings, _) = decoder.decode(root)
        log.sort()
        if log.hasErrors { return }
        try require(!settings.name.isEmpty, "a node without a name")
        let store = settings.store
        try require(store.maxLockTimeout >= .seconds(1), "max_lock_timeout = \(store.maxLockTimeout)")
        _ = ValkeyStore.Configuration(store)
    }

    func fuzzEnvironment(_ input: Bytes) throws {
        let variables: [String: String]
        do {
            variables = try EnvironmentFile.parse(input, path: "f")
        } catch {
            return try requireHelpful(error, in: input)
        }
        try requireRoundTrip(
            variables,
            { variables in
                Bytes(
                    variables.map { name, value in
                        let quoted = value.unicodeScalars.reduce(into: "") { text, scalar in
                            if "\"\\`$".unicodeScalars.contains(scalar) { text += "\\" }
                            text.unicodeScalars.append(scalar)
                        }
                        return "\(name)=\"\(quoted)\"\n"
                    }.joined().utf8)
            },
            { try EnvironmentFile.parse($0, path: "f") })
        for (name, value) in variables {
            try require(EnvironmentName.problem(of: name) == nil, "a variable called \(name)")
            try require(!value.utf8.contains(0), "a NUL in \(name)")
        }
    }

    /// A message, and a place that is in the text.
    private func requireHelpful(_ problem: ConfigProblem, in input: Bytes) throws {
        try require(!problem.message.isEmpty, "a problem without words")
        let lines = input.count { $0 == UInt8(ascii: "\n") } + 1
        try require((1...lines).contains(problem.line ?? 1), "\(problem): of \(lines) lines")
        try require(problem.column ?? 1 >= 1, "\(problem)")
    }
}
