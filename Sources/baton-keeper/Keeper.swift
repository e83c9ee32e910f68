// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// The shell around `KeeperMachine`: one loop that turns what the kernel says into events, and actions into calls.
/// Nothing in it waits but `poll`.
final class Keeper {
    let context: RunContext
    let realtime: Bool
    let timer: Int32
    /// −1 once the guard is gone: its pidfd would wake the loop for ever.
    private var guardFD: Int32
    let output: OutputPump
    let held: HeldSocket
    let notices: NoticeSocket
    var machine: KeeperMachine
    var daemon: DaemonSocket
    var workload = Workload()
    /// Watched while the cgroup is to become empty; −1 otherwise.
    var cgroupEvents: Int32 = -1
    /// What has happened and was not handled yet.
    var events: [KeeperMachine.Event] = []

    init(_ context: RunContext, connection: Int32) {
        self.context = context
        let spec = context.spec
        machine = KeeperMachine(
            lostGrace: spec.lostGrace, stopSignal: spec.stopSignal, stopTimeout: spec.stopTimeout,
            watch: spec.notify ? WorkloadWatch(interval: spec.watchdog) : nil)
        _ = clinux_become_subreaper()
        // The guard may be gone before this line: then its pid is another's, or nobody's, and ours is not its child.
        let watched = clinux_pidfd_open(context.guardian)
        guardFD = getppid() == context.guardian ? watched : -1
        timer = clinux_boot_timer()
        output = OutputPump(board: context.board)
        daemon = DaemonSocket(connection: connection)
        held = HeldSocket(for: spec.identity)
        notices = NoticeSocket(for: spec)
        realtime = context.becomeUnstoppable()
    }

    func run() -> Never {
        if timer < 0 || daemon.listener < 0 || notices.isMissing {
            events.append(.startFailed(step: .resources, errno: EMFILE))
        }
        if case .refused(let reason) = context.lock { events.append(.startFailed(step: .lock, errno: reason)) }
        events.insert(.connected, at: 0)
        if guardFD < 0 { events.append(.guardDied) }
        handleEvents()
        while true {
            wait()
            handleEvents()
        }
    }

    /// What is watched, in the order in which it is dealt with: time first, output last. Only what the workload said before
    /// its time was up comes before that.
    private enum Watch: Int, CaseIterable {
        case notices, timer, guardian, signals, start, cgroup, listener, daemon, out, err, held
    }

    private func wait() {
        var watched = Watch.allCases.map { watch in
            switch watch {
            case .notices: pollfd(fd: notices.descriptor, events: Int16(POLLIN), revents: 0)
            case .timer: pollfd(fd: timer, events: Int16(POLLIN), revents: 0)
            case .guardian: pollfd(fd: guardFD, events: Int16(POLLIN), revents: 0)
            case .signals: pollfd(fd: context.signals, events: Int16(POLLIN), revents: 0)
            case .start: pollfd(fd: workload.errorPipe, events: Int16(POLLIN), revents: 0)
            case .cgroup: pollfd(fd: cgroupEvents, events: Int16(POLLPRI), revents: 0)
            case .listener: pollfd(fd: daemon.listener, events: Int16(POLLIN), revents: 0)
            case .daemon:
                pollfd(
                    fd: daemon.connection, events: Int16(daemon.wantsToSend ? POLLIN | POLLOUT : POLLIN), revents: 0)
            case .out: output.watched(0)
            case .err: output.watched(1)
            case .held: pollfd(fd: held.listener, events: Int16(POLLIN), revents: 0)
            }
        }
        let patience = output.isHeld ? Int32(JournalStream.patience.milliseconds) : -1
        switch poll(&watched, nfds_t(watched.count), patience) {
        case 0: output.pump()
        case 1...: break
        case _: return
        }
        for watch in Watch.allCases where watched[watch.rawValue].revents != 0 { attend(to: watch) }
    }

    private func attend(to watch: Watch) {
        switch watch {
        case .notices: for notice in notices.receive() { events.append(.notified(notice)) }
        case .timer:
            clinux_drain_timer(timer)
            events.append(.woke)
            handleEvents()
        case .guardian:
            close(guardFD)
            guardFD = -1
            events.append(.guardDied)
        case .signals:
            // A service manager's stop, passed on by the guard; an ordinary one, which the daemon hears of as such.
            if clinux_drain_signals(context.signals) != 0 { events.append(.stopRequested) }
            reap()
        case .start: readStartOutcome()
        case .cgroup:
            drainCgroupEvents()
            checkEmpty()
        case .listener: if daemon.accept() { events.append(.connected) }
        case .daemon:
            // A newer daemon was let in a moment ago: what the older one still said is void, its descriptor closed.
            if events.last == .connected { return }
            daemon.flush()
            receiveOrders()
        case .out, .err: output.pump()
        case .held: held.answer(deadline: machine.deadline, now: BootClock.now())
        }
    }

    private func receiveOrders() {
        // A bound: a daemon that never stops talking must not keep the keeper from its deadline.
        for _ in 0..<32 {
            switch daemon.receive() {
            case .nothing: return
            case .gone:
                daemon.disconnect()
                events.append(.connectionLost)
                return
            case .order(.go(let deadline)): events.append(.goReceived(deadline: deadline))
            case .order(.extend(let deadline)): events.append(.extended(deadline: deadline))
            case .order(.stop): events.append(.stopRequested)
            case .order(.kill): events.append(.killRequested)
            case .order(.ack): events.append(.acknowledged)
            case .order(.tail): sendTail()
            case .order(.output(let after)): sendOutput(after: after)
            }
        }
    }

    private func sendTail() {
        output.pump()
        daemon.send(.tail(context.board.tail))
    }

    private func sendOutput(after: UInt64) {
        output.pump()
        let (from, bytes) = context.board.output(after: after)
        daemon.send(.output(after: after, from: from, bytes))
    }

    private func handleEvents() {
        while !events.isEmpty {
            let event = events.removeFirst()
            let actions = machine.handle(event, at: BootClock.now())
            context.board.deadline = machine.deadline
            for action in actions { perform(action) }
        }
    }
}
