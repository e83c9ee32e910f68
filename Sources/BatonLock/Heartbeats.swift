// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import HeapModule
import Synchronization

/// The diary of all heartbeats of a process.
///
/// Leases that are due at about the same time are renewed together, some a little early: ten thousand of them then cost
/// a few wake-ups a second, and their requests travel together.
final class Heartbeats: Sendable {
    static let shared = Heartbeats()

    private struct Appointment: Comparable {
        let from: Instant
        let at: Instant
        let heartbeat: Heartbeat

        static func < (left: Appointment, right: Appointment) -> Bool { left.at < right.at }
        static func == (left: Appointment, right: Appointment) -> Bool { left.at == right.at }
    }

    private struct State {
        var diary = Heap<Appointment>()
        /// Appointments in the diary whose heartbeats have ended: about so many.
        var dropped = 0
        var isRunning = false
        /// What was read of servers' clocks, and is not told to the heartbeats yet.
        var readings: [(reading: ClockReading, clock: StoreClock)] = []
        /// When the loop looks again by itself.
        var wakesAt = Instant.distantFuture
    }
    private let state = Mutex(State())
    private let bell = Doorbell()

    /// Keeps a lease alive until ``stop(_:)``; its term is told when it is lost.
    func start(_ term: Term, _ client: LockClient, timeout: Duration, deadline: Instant) -> Heartbeat {
        let told = client.store.clock?.told
        let heartbeat = Heartbeat(term, client, timeout: timeout, deadline: deadline)
        enter(heartbeat)
        // What was read before it stood in the diary was not told to it.
        if let clock = client.store.clock, let news = clock.told, news != told { heard(news, from: clock) }
        return heartbeat
    }

    /// The server's clock of a store was seen to be ahead of ours: whoever holds a lock of that store is told.
    func heard(_ reading: ClockReading, from clock: StoreClock) {
        let mustWake = state.withLock { state in
            if state.isRunning { state.readings.append((reading, clock)) }
            return state.isRunning
        }
        if mustWake { bell.ring() }
    }

    private func enter(_ heartbeat: Heartbeat) {
        guard let (from, at) = heartbeat.nextAppointment() else { return }
        let (mustStart, mustWake) = state.withLock { state in
            state.diary.insert(Appointment(from: from, at: at, heartbeat: heartbeat))
            defer { state.isRunning = true }
            return (!state.isRunning, at < state.wakesAt)
        }
        // No child of anybody: it serves whoever holds a lock, and ends when nobody does.
        if mustStart { Task.detached { await self.run() } } else if mustWake { bell.ring() }
    }

    /// Ends it. Returns when no renewal is on its way any more; shielded from cancellation.
    func stop(_ heartbeat: Heartbeat) async {
        await heartbeat.stop()
        state.withLock { state in
            // Its appointment does no harm; when such become many they are cleared out.
            state.dropped += 1
            guard state.dropped > 64, state.dropped > state.diary.count / 2 else { return }
            state.diary = Heap(state.diary.unordered.filter { $0.heartbeat.hasAppointment(at: $0.at) })
            state.dropped = 0
        }
    }

    private func run() async {
        await withDiscardingTaskGroup { group in
            while let next = goThrough(&group) { await bell.wait(until: next) }
        }
    }

    /// Sends off what is due. When to look again; nil when the diary is empty, and this loop over.
    private func goThrough(_ group: inout DiscardingTaskGroup) -> Instant? {
        passOnReadings(&group)
        let now = BootClock.now()
        while true {
            let (due, next) = state.withLock { state -> ([Appointment], Instant?) in
                var due: [Appointment] = []
                while let first = state.diary.min {
                    let isVoid = !first.heartbeat.hasAppointment(at: first.at)
                    // Nobody wakes up for one that is void: each renewal leaves one, for the end of the lease before it.
                    guard isVoid || first.from <= now else { break }
                    state.diary.removeMin()
                    if !isVoid { due.append(first) }
                }
                let next = due.isEmpty ? state.diary.min?.at : now
                state.wakesAt = next ?? .distantFuture
                state.isRunning = next != nil
                if next == nil { state.readings = [] }
                return (due, next)
            }
            if due.isEmpty { return next }
            for appointment in due where appointment.heartbeat.keeps(appointment.at) {
                tell(.woke, to: appointment.heartbeat, at: now, &group)
            }
        }
    }

    private func tell(
        _ event: LeaseMachine.Event, to heartbeat: Heartbeat, at now: Instant, _ group: inout DiscardingTaskGroup
    ) {
        if let limit = heartbeat.handle(event, at: now) {
            group.addTask(executorPreference: heartbeat.client.store.executor) {
                await heartbeat.renew(within: limit)
                self.enter(heartbeat)
            }
        }
        // Also while it is being renewed: its lease may end before the answer comes.
        enter(heartbeat)
    }

    private func passOnReadings(_ group: inout DiscardingTaskGroup) {
        let (readings, heartbeats) = state.withLock { state in
            defer { state.readings = [] }
            let kept =
                state.readings.isEmpty ? [] : state.diary.unordered.filter { $0.heartbeat.hasAppointment(at: $0.at) }
            return (state.readings, kept.map(\.heartbeat))
        }
        for (reading, clock) in readings {
            for heartbeat in heartbeats where heartbeat.client.store.clock === clock {
                tell(.heard(reading), to: heartbeat, at: BootClock.now(), &group)
            }
        }
    }
}
