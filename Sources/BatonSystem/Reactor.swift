// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Synchronization

/// One thread that waits on many descriptors and calls back. Everything it calls runs on that thread, one at a time.
///
/// A callback must not wait for anything: it would hold up all others.
package final class Reactor: Sendable {
    /// What a descriptor is watched for. An end or an error is always told, as `readable`.
    package struct Interest: OptionSet, Sendable {
        /// The bits.
        package let rawValue: UInt8
        /// An interest from its bits.
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// There is something to read, or an end, or an error.
        package static let readable = Interest(rawValue: 1)
        /// There is room to write.
        package static let writable = Interest(rawValue: 2)
    }

    /// A descriptor that is being watched.
    package struct Watch: Hashable, Sendable {
        fileprivate let id: UInt64
        fileprivate let descriptor: Int32
    }

    private struct State {
        var handlers: [UInt64: @Sendable (Interest) -> Void] = [:]
        var jobs: [@Sendable () -> Void] = []
        var nextID: UInt64 = 1
        var stopped = false
    }

    private let state = Mutex(State())
    private let epoll: Int32
    private let bell: Int32
    private static let bellID: UInt64 = 0

    /// Starts the thread.
    package init() throws(SystemError) {
        epoll = try succeeded(epoll_create1(O_CLOEXEC), "epoll_create1")
        bell = try checked(clinux_eventfd(), "eventfd")
        var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data_t(u64: Self.bellID))
        try succeeded(epoll_ctl(epoll, EPOLL_CTL_ADD, bell, &event), "epoll_ctl")
        var thread = pthread_t()
        let error = pthread_create(&thread, nil, Self.threadMain, Unmanaged.passRetained(self).toOpaque())
        if error != 0 {
            Unmanaged.passUnretained(self).release()
            throw SystemError(errno: error, operation: "pthread_create")
        }
        pthread_detach(thread)
    }

    deinit {
        close(epoll)
        close(bell)
    }

    private static let threadMain: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { raw in
        if let raw { Unmanaged<Reactor>.fromOpaque(raw).takeRetainedValue().loop() }
        return nil
    }

    /// Calls `handler` whenever the descriptor is ready, until `forget`. The descriptor stays the caller's.
    package func watch(
        _ descriptor: Int32, for interest: Interest = .readable, _ handler: @escaping @Sendable (Interest) -> Void
    ) throws(SystemError) -> Watch {
        let id = state.withLock { state in
            let id = state.nextID
            state.nextID += 1
            state.handlers[id] = handler
            return id
        }
        var event = epoll_event(events: Self.bits(interest), data: epoll_data_t(u64: id))
        if epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0 {
            let reason = errno
            state.withLock { $0.handlers[id] = nil }
            throw SystemError(errno: reason, operation: "epoll_ctl")
        }
        return Watch(id: id, descriptor: descriptor)
    }

    /// Changes what a descriptor is watched for. One that is not watched any more stays so.
    package func change(_ watch: Watch, to interest: Interest) {
        var event = epoll_event(events: Self.bits(interest), data: epoll_data_t(u64: watch.id))
        epoll_ctl(epoll, EPOLL_CTL_MOD, watch.descriptor, &event)
    }

    /// Ends a watch. `afterwards` runs on the reactor's thread when no call of the handler can be under way any more:
    /// the place to close the descriptor.
    package func forget(_ watch: Watch, afterwards: @escaping @Sendable () -> Void) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, watch.descriptor, nil)
        state.withLock { $0.handlers[watch.id] = nil }
        run(afterwards)
    }

    /// Runs `job` on the reactor's thread, after those given before. A reactor that was stopped runs it at once, here.
    package func run(_ job: @escaping @Sendable () -> Void) {
        let accepted = state.withLock { state in
            if state.stopped { return false }
            state.jobs.append(job)
            return true
        }
        if accepted { ring() } else { job() }
    }

    /// Ends the thread. Nothing is called after the call that is under way, but for jobs already given.
    package func stop() {
        state.withLock { $0.stopped = true }
        ring()
    }

    private func ring() {
        var one: UInt64 = 1
        write(bell, &one, 8)
    }

    private func loop() {
        var ready = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let count = epoll_wait(epoll, &ready, Int32(ready.count), -1)
            for event in ready.prefix(Int(max(count, 0))) {
                if event.data.u64 == Self.bellID {
                    clinux_drain_timer(bell)
                    continue
                }
                // Looked up only now: an earlier call of this round may have ended this watch.
                guard let handler = state.withLock({ $0.handlers[event.data.u64] }) else { continue }
                handler(Self.interest(event.events))
            }
            let (jobs, stopped) = state.withLock { state in
                let jobs = state.jobs
                state.jobs = []
                return (jobs, state.stopped)
            }
            for job in jobs { job() }
            if stopped { return }
        }
    }

    private static func bits(_ interest: Interest) -> UInt32 {
        (interest.contains(.readable) ? EPOLLIN.rawValue : 0) | (interest.contains(.writable) ? EPOLLOUT.rawValue : 0)
    }

    private static func interest(_ bits: UInt32) -> Interest {
        var interest: Interest = []
        if bits & ~EPOLLOUT.rawValue != 0 { interest.insert(.readable) }
        if bits & EPOLLOUT.rawValue != 0 { interest.insert(.writable) }
        return interest
    }
}
