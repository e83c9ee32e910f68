// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A fleet-wide note beside a job's lock that keeps it from being granted.
public struct Mark: Equatable, Sendable {
    /// Why the lock is not granted.
    public enum Kind: String, Equatable, Sendable {
        /// An operator stopped the job: nobody runs it until `batonctl run`.
        case heldDown = "down"
        /// The job is done, by its restart policy: nobody runs it until `batonctl run`.
        case finished
        /// The job's last run ended and its restart delay is not over.
        case coolingDown = "cooling"
        /// An operator paused the job: nothing new starts, and what runs goes on.
        case paused
        /// An operator ended the run that goes on, of a job with a schedule: its holder stops it, and for that moment nothing
        /// starts. It ends by itself.
        case runEnded = "ended"

        /// Whether the end of a run may set that mark in its place. What an operator said stays in force; but a job that
        /// is done is so after a pause, too.
        package func givesWay(to other: Kind) -> Bool {
            switch self {
            case .heldDown, .runEnded: false
            case .paused: other == .finished
            case .finished, .coolingDown: true
            }
        }
    }

    /// Why the lock is not granted.
    public var kind: Kind
    /// How long the mark still stands: when set, how long it is to stand; when read, what is left. Nil: until cleared.
    public var remaining: Duration?
    /// Runs that failed in a row.
    public var failures: Int
    /// Who set it (a node's name), for people.
    public var by: String

    /// In the place of a mark that was cleared: one that is over.
    package static var cleared: Mark { Mark(kind: .coolingDown, remaining: .zero) }

    /// Whether no run goes on beside it, but for the moment in which its holder hears of it.
    package var outlivesNoRun: Bool {
        switch kind {
        case .heldDown, .finished: true
        case .coolingDown, .paused, .runEnded: false
        }
    }

    /// A mark.
    public init(kind: Kind, remaining: Duration? = nil, failures: Int = 0, by: String = "") {
        self.kind = kind
        self.remaining = remaining
        self.failures = failures
        self.by = by
    }
}
