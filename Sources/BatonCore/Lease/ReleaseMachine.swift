// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Gives a lock back that one of several tokens holds: one after the other is tried until it was the one.
///
/// Each action has one event as its answer.
package struct ReleaseMachine: Equatable, Sendable {
    package enum Event: Equatable, Sendable {
        case began
        case answered(wasOurs: Bool)
        /// The store did not answer, or can't just now.
        case failed
    }

    package enum Action: Equatable, Sendable {
        case release(Bytes)
        /// `isReleased`: none of the tokens holds the lock any more. Otherwise it is to be begun anew.
        case over(isReleased: Bool)
    }

    /// Those that were not tried yet.
    private var tokens: [Bytes]

    package init(_ record: LeaseRecord) { tokens = record.candidates }

    package mutating func handle(_ event: Event) -> Action {
        switch event {
        case .failed: return .over(isReleased: false)
        case .answered(wasOurs: true): return .over(isReleased: true)
        case .began, .answered(wasOurs: false):
            return tokens.isEmpty ? .over(isReleased: true) : .release(tokens.removeFirst())
        }
    }
}
