// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// When a node tells its store what it remembers of a scheduled job: the largest tick and fence that it knows of (rules S7
/// and S8).
///
/// A store that lost data elects nobody for a while, and asks nobody. Who competes for a job says what it remembers with each
/// request. For all others it is said here: each job is told of until the store has answered.
package struct RecollectionMachine: Equatable, Sendable {
    package enum Event: Equatable, Sendable {
        /// The store may be another than it was, and nothing else asks it about these jobs.
        case wanted([String])
        /// A competition heard that the store does not know its own past.
        case storeIsNew
        /// The store was told, or needs no telling.
        case told
        /// It gave no answer, or will have none of it now.
        case failed(String)
        case woke
    }

    package enum Action: Equatable, Sendable {
        /// All of the node's scheduled jobs are wanted.
        case wantAll
        case tell(String)
        /// In place of any earlier one.
        case wake(at: Instant)
    }

    /// So many are told of at once.
    static let mostAtOnce = 8
    /// After a request without an answer.
    static let pause = Duration.seconds(1)

    /// How long a store that is new waits before it elects anybody.
    private let maxLockTimeout: Duration
    /// The next one last.
    private var untold: [String] = []
    /// The same jobs.
    private var isUntold: Set<String> = []
    private var asked = 0
    private var pausedUntil: Instant?
    /// It was heard that the store is new, and nothing was done about it yet.
    private var isNew = false
    /// Whoever competes hears again and again that a store is new.
    private var deafUntil: Instant?

    package init(maxLockTimeout: Duration) { self.maxLockTimeout = maxLockTimeout }

    package mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        switch event {
        case .wanted(let jobs): for job in jobs where isUntold.insert(job).inserted { untold.append(job) }
        case .storeIsNew: isNew = true
        case .told: asked -= 1
        case .failed(let job):
            asked -= 1
            // Behind the others: one that is never answered does not keep them back.
            if isUntold.insert(job).inserted { untold.insert(job, at: 0) }
            pausedUntil = now + Self.pause
        case .woke: break
        }
        if let end = pausedUntil, end <= now { pausedUntil = nil }
        if let end = deafUntil, end <= now { deafUntil = nil }

        var actions: [Action] = []
        if isNew, deafUntil == nil {
            isNew = false
            deafUntil = now + maxLockTimeout / 2
            actions.append(.wantAll)
        }
        while pausedUntil == nil, asked < Self.mostAtOnce, let job = untold.popLast() {
            isUntold.remove(job)
            asked += 1
            actions.append(.tell(job))
        }
        if let wake = nextWake { actions.append(.wake(at: wake)) }
        return actions
    }

    private var nextWake: Instant? {
        let instants = [untold.isEmpty ? nil : pausedUntil, isNew ? deafUntil : nil]
        return instants.compactMap { $0 }.min()
    }
}
