// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import HeapModule
import Synchronization

/// Ends the timed waits of a process: one sleeping task for all of them, while there are any.
///
/// A task group with a sleeper in it costs each wait two tasks and some kilobytes; a process may have thousands of waits.
final class AlarmClock: Sendable {
    static let shared = AlarmClock()

    private struct Alarm: Comparable {
        let at: Instant
        let number: UInt64
        let bell: Doorbell

        static func < (left: Alarm, right: Alarm) -> Bool { left.at < right.at }
        static func == (left: Alarm, right: Alarm) -> Bool { left.number == right.number }
    }

    private struct State {
        var alarms = Heap<Alarm>()
        /// Alarms in the heap whose waits are over: about so many.
        var dropped = 0
        var sleeper: (until: Instant, task: Task<Void, Never>)?
    }
    private let state = Mutex(State())
    private let lastNumber = Atomic<UInt64>(0)

    /// The number of an alarm that is about to be set; never 0.
    func nextNumber() -> UInt64 { lastNumber.add(1, ordering: .relaxed).newValue }

    /// Ends the wait of `bell` that goes by this number, then.
    func set(_ number: UInt64, _ bell: Doorbell, at instant: Instant) {
        state.withLock { state in
            state.alarms.insert(Alarm(at: instant, number: number, bell: bell))
            if let sleeper = state.sleeper, sleeper.until <= instant { return }
            state.sleeper?.task.cancel()
            state.sleeper = sleeper(until: instant)
        }
    }

    /// A wait with an alarm ended before it. The alarm does no harm; when they become many they are cleared out.
    func drop() {
        state.withLock { state in
            state.dropped += 1
            guard state.dropped > 64, state.dropped > state.alarms.count / 2 else { return }
            state.alarms = Heap(state.alarms.unordered.filter { $0.bell.isWaiting(for: $0.number) })
            state.dropped = 0
        }
    }

    /// No child of anybody: it sleeps for whoever waits, and ends when nobody does. Detached, because it must not keep
    /// the task-local values of the one who happened to set the alarm.
    private func sleeper(until instant: Instant) -> (until: Instant, task: Task<Void, Never>) {
        let task = Task.detached {
            guard (try? await BootClock.sleep(until: instant)) != nil else { return }  // an earlier one took over
            self.goOff()
        }
        return (instant, task)
    }

    private func goOff() {
        let due = state.withLock { state in
            let now = BootClock.now()
            var due: [Alarm] = []
            while let first = state.alarms.min, first.at <= now { due.append(state.alarms.removeMin()) }
            // Only the sleeper in charge arms the next; one that was replaced at the last moment just rings.
            if let sleeper = state.sleeper, sleeper.until <= now {
                state.sleeper = state.alarms.min.map { self.sleeper(until: $0.at) }
            }
            return due
        }
        for alarm in due { alarm.bell.timeIsUp(for: alarm.number) }
    }
}
