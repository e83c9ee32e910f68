// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import DequeModule
import Dispatch
import Glibc
import Synchronization

/// What the database's thread is asked to do, until when.
protocol TimedRequest: Sendable {
    /// When nobody waits for the answer any more.
    var end: Instant { get }
    /// Does it and answers, on the database's thread.
    func carryOut()
    /// Answers that there is no answer. Called from another thread, perhaps while this is being carried out.
    func giveUp()
}

/// The one thread that touches the database: SQLite blocks, and the threads of Swift's tasks must not.
///
/// Requests are carried out one at a time, in the order they came. A thread of our own, because one of a pool costs more
/// to wake; and one timer for all time limits, because one for each request cost a quarter of the request.
///
/// Tasks that prefer to be here are run between two requests. While a request hangs longer than anybody waits for it,
/// they are run elsewhere: they are told that it hangs, and must be able to do something about it.
final class DatabaseThread: TaskExecutor {
    fileprivate enum Work {
        case request(any TimedRequest)
        case errand(@Sendable () -> Void)
        case task(UnownedJob)
    }

    fileprivate enum Phase {
        case notStarted, awake, asleep
        /// In a request that was given up.
        case stuck
        case over
    }

    fileprivate struct State {
        var phase = Phase.notStarted
        var isStopped = false
        /// Requests and errands.
        var queue = Deque<Work>()
        /// They go first: what they do is short, and they may be waiting for their answer.
        var tasks = Deque<UnownedJob>()
        /// The request that is being carried out, unless it was given up.
        var current: (any TimedRequest)?
        var timer: (any DispatchSourceTimer)?
        /// When the timer goes off.
        var alarm = Instant.distantFuture
    }

    /// A request keeps its time limit by itself, unless the disk hangs. It gets an instant more: its error says more.
    private static let grace = Duration.milliseconds(10)

    private let state = Mutex(State())
    private let bell = DispatchSemaphore(value: 0)

    func carryOut(_ request: any TimedRequest) {
        let previous = state.withLock { state -> Phase in
            state.queue.append(.request(request))
            setAlarm(for: request.end, &state)
            return state.wake()
        }
        wake(from: previous)
    }

    /// Runs `errand` on the thread, after what was asked for before.
    func run(_ errand: @escaping @Sendable () -> Void) {
        let previous = state.withLock { state -> Phase in
            state.queue.append(.errand(errand))
            return state.wake()
        }
        wake(from: previous)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let previous = state.withLock { state -> Phase in
            let phase = state.wake()
            if phase != .stuck, phase != .over { state.tasks.append(job) }
            return phase
        }
        if previous == .stuck || previous == .over { runElsewhere(job) } else { wake(from: previous) }
    }

    /// Ends the thread after what was asked for before. Nothing but tasks may come after that.
    func stop() {
        let previous = state.withLock { state -> Phase in
            state.isStopped = true
            return state.phase == .asleep ? state.wake() : state.phase
        }
        if previous == .asleep { bell.signal() }
    }

    // MARK: - The thread

    private func wake(from phase: Phase) {
        switch phase {
        case .awake, .stuck, .over: break
        case .asleep: bell.signal()
        case .notStarted: start()
        }
    }

    private func start() {
        var thread = pthread_t()
        if pthread_create(&thread, nil, Self.main, Unmanaged.passRetained(self).toOpaque()) == 0 {
            pthread_detach(thread)
        } else {
            // Who asked is told when the time is up; the next request tries again.
            Unmanaged.passUnretained(self).release()
            state.withLock { $0.phase = .notStarted }
        }
    }

    private static let main: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { raw in
        if let raw { Unmanaged<DatabaseThread>.fromOpaque(raw).takeRetainedValue().loop() }
        return nil
    }

    private func loop() {
        while let work = next() {
            switch work {
            case .request(let request): request.carryOut()
            case .errand(let errand): errand()
            case .task(let job): job.runSynchronously(on: asUnownedTaskExecutor())
            }
        }
    }

    /// Sleeps until there is something to do; nil when there never will be.
    private func next() -> Work? {
        while true {
            // What is over is let go outside of the lock: with it the whole store may go, which stops this thread.
            let (work, phase, _) = state.withLock { $0.next() }
            if work != nil || phase == .over { return work }
            bell.wait()
        }
    }

    private func runElsewhere(_ job: UnownedJob) {
        DispatchQueue.global().async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    // MARK: - The time limits

    /// Makes sure that the timer goes off by then. Under the lock: two who set it must not overtake each other.
    private func setAlarm(for end: Instant, _ state: inout State) {
        let alarm = end + Self.grace
        if state.alarm <= alarm { return }
        state.alarm = alarm
        let timer = state.timer ?? makeTimer()
        state.timer = timer
        // A timer that goes off too early looks, and is set again.
        let pause = min(max(alarm - BootClock.now(), Self.grace), .seconds(86_400))
        timer.schedule(deadline: .now() + .nanoseconds(Int(pause.nanoseconds)))
    }

    private func makeTimer() -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource()
        timer.setEventHandler { [weak self] in self?.endLateRequests() }
        timer.resume()
        return timer
    }

    private func endLateRequests() {
        let (late, stranded) = state.withLock { state in
            let late = state.takeRequests(before: BootClock.now() - Self.grace)
            state.alarm = .distantFuture
            if let end = state.earliestEnd { setAlarm(for: end, &state) }
            return (late, state.takeStrandedTasks())
        }
        for request in late { request.giveUp() }
        for job in stranded { runElsewhere(job) }
    }
}

extension DatabaseThread.State {
    /// There is something to do. Returns what the thread was at before.
    mutating func wake() -> DatabaseThread.Phase {
        let previous = phase
        if phase == .notStarted || phase == .asleep { phase = .awake }
        return previous
    }

    mutating func next() -> (DatabaseThread.Work?, DatabaseThread.Phase, finished: (any TimedRequest)?) {
        let finished = current
        current = nil
        let work = tasks.popFirst().map { .task($0) } ?? queue.popFirst()
        if case .request(let request) = work { current = request }
        phase = work != nil ? .awake : isStopped ? .over : .asleep
        return (work, phase, finished)
    }

    /// Those that nobody waits for any more are not carried out. The one that is may be, nobody knows.
    mutating func takeRequests(before instant: Instant) -> [any TimedRequest] {
        var late: [any TimedRequest] = []
        if let request = current, request.end <= instant {
            late.append(request)
            current = nil
            phase = .stuck
        }
        queue.removeAll { work in
            guard case .request(let request) = work, request.end <= instant else { return false }
            late.append(request)
            return true
        }
        return late
    }

    mutating func takeStrandedTasks() -> Deque<UnownedJob> {
        guard phase == .stuck else { return [] }
        defer { tasks = [] }
        return tasks
    }

    var earliestEnd: Instant? {
        let waiting = queue.lazy.compactMap { if case .request(let request) = $0 { request.end } else { nil } }.min()
        guard let current = current?.end, let waiting else { return current?.end ?? waiting }
        return min(current, waiting)
    }
}
