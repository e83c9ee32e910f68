// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

public import BatonCore
import BatonSystem
import Synchronization

/// What a store's answers have said of its server's clock, and who has to know when that goes ahead of ours.
///
/// A store on a clock that is not this machine's has one, and tells it of every answer. Holders of leases then learn at
/// once what only the server's clock can show: that a hypervisor paused this machine (``LockStore/clock``).
public final class StoreClock: Sendable {
    /// What is noted before a request is sent.
    public struct Question: Sendable {
        /// Before the request was sent.
        let sentAt: Instant
        let clock: Int
    }

    private struct State {
        var watch = ClockWatch()
        /// Of the last answer.
        var latest: ClockReading?
        /// The last one that was told to the watchers.
        var told: ClockReading?
        var watchers: [Int: @Sendable (ClockWatch.Notice) -> Void] = [:]
        var lastWatcher = 0
    }
    private let state = Mutex(State())
    private let clock = Atomic<Int>(0)
    /// No clock has this number: an answer of which nobody knows whose it is.
    private static let unknown = -1

    /// A clock of which nothing was heard yet.
    public init() {}

    /// A request is about to be sent.
    public func ask() -> Question {
        Question(sentAt: BootClock.now(), clock: clock.load(ordering: .relaxed))
    }

    /// Another server answers from now on, on a clock of its own, and has answered this question already.
    ///
    /// - Returns: the question, as asked of that server.
    public func becomeAnother(since question: Question) -> Question {
        Question(sentAt: question.sentAt, clock: clock.add(1, ordering: .relaxed).newValue)
    }

    /// An answer came, in which the server's clock showed so many microseconds.
    ///
    /// - Returns: the same, as the answer is to be stamped.
    public func heard(_ microseconds: Int64, inAnswerTo question: Question) -> ServerTime {
        let now = clock.load(ordering: .relaxed)
        guard now == question.clock else { return ServerTime(microseconds: microseconds, clock: Self.unknown) }
        let time = ServerTime(microseconds: microseconds, clock: now)
        // The arrival was a little earlier: the estimate errs towards a server time that is too early.
        let reading = ClockReading(time, arrival: BootClock.now())
        let told = state.withLock { state -> (ClockWatch.Notice, [@Sendable (ClockWatch.Notice) -> Void])? in
            state.latest = reading
            guard let notice = state.watch.heard(reading, sentAt: question.sentAt) else { return nil }
            state.told = reading
            return (notice, Array(state.watchers.values))
        }
        if let (notice, watchers) = told {
            for tell in watchers { tell(notice) }
            Heartbeats.shared.heard(reading, from: self)
        }
        return time
    }

    /// The server's time now, in microseconds, not later than it really is; nil before the first answer.
    public var now: Int64? {
        state.withLock { $0.latest }?.serverTime(at: BootClock.now())
    }

    /// The same as far as anybody can say: it may be a little later than it really is.
    public var likelyNow: Int64? {
        state.withLock { $0.latest }?.likelyTime(at: BootClock.now())
    }

    /// The last answer that a lease has to be compared with; nil: none.
    var told: ClockReading? { state.withLock { $0.told } }

    // MARK: Watchers

    /// `tell` is called with each notice until ``forget(_:)``; it must not wait.
    package func watch(_ tell: @escaping @Sendable (ClockWatch.Notice) -> Void) -> Int {
        state.withLock { state in
            state.lastWatcher += 1
            state.watchers[state.lastWatcher] = tell
            return state.lastWatcher
        }
    }

    package func forget(_ watcher: Int) { state.withLock { $0.watchers[watcher] = nil } }
}
