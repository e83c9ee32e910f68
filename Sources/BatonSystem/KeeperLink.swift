// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import CLinux
import Glibc
import Synchronization

/// A daemon's connection to one keeper. It obeys nobody else while this is the newest.
///
/// That it ends says nothing about the run: only `ended`, an empty cgroup, or a passed deadline do.
package final class KeeperLink: Sendable {
    /// What comes from a keeper.
    package enum Event: Equatable, Sendable {
        /// It says something.
        case report(KeeperReport)
        /// The connection is gone, once; no report follows. A newer daemon may be obeyed now.
        case disconnected
        /// The keeper's process is gone, once; also after an orderly end.
        case keeperDied
    }

    /// In order; one reader. It ends after `close`, and when both `disconnected` and `keeperDied` were told; or after
    /// `disconnected` alone, when the keeper's process was never known (it left before its hello, or as it came).
    package let events: AsyncStream<Event>

    /// Ends with the keeper's first word, or with the connection; one reader.
    package let greeting: AsyncStream<Void>
    private let greeted: AsyncStream<Void>.Continuation

    private struct State {
        var unsent: [KeeperOrder] = []
        var watch: Reactor.Watch?
        /// The watch tells of room to write as well.
        var awaitsRoom = false
        var isConnected = true
        var process: PidFd?
        var processWatch: Reactor.Watch?
    }

    private let socket: Int32
    private let reactor: Reactor
    private let origin: Origin
    private let inlet: AsyncStream<Event>.Continuation
    private let state = Mutex(State())

    /// Where the keeper comes from.
    private enum Origin: Equatable {
        /// This daemon is its parent.
        case child
        /// An earlier daemon left it behind.
        case inherited
        /// Somebody else started it, and may hold its end of the connection as well: of a pid, only the cgroup says
        /// whether it still is this run's.
        case foreign(runID: String)
    }

    private init(socket: Int32, reactor: Reactor, origin: Origin) throws(SystemError) {
        self.socket = socket
        self.reactor = reactor
        self.origin = origin
        (events, inlet) = AsyncStream.makeStream()
        (greeting, greeted) = AsyncStream.makeStream()
        // Registered on the reactor's own thread, so that nothing is told before the watch is known here.
        reactor.run { self.open() }
    }

    /// Starts a keeper for a run whose directory exists and holds its spec. Nothing runs before `send(.go)`.
    ///
    /// - Throws: what failed; a keeper that starts and then fails is told by `disconnected`, and by the run's status.
    package static func launch(
        in directory: RunDirectory, keeper path: String, reactor: Reactor
    ) throws(SystemError) -> KeeperLink {
        var pair: [Int32] = [-1, -1]
        try checked(clinux_socketpair(&pair), "socketpair")
        let pid = clinux_spawn_keeper(path, directory.path, pair[1])
        Glibc.close(pair[1])
        do throws(SystemError) {
            try checked(pid, "spawn \(path)")
            try ChildReaper.start(pid, reactor)
            return try KeeperLink(socket: pair[0], reactor: reactor, origin: .child)
        } catch {
            Glibc.close(pair[0])
            throw error
        }
    }

    /// Has somebody else start a keeper, with the descriptor that `start` is given as its connection. The keeper sees
    /// the connection end when this daemon closes its own end, or dies.
    package static func launch(
        runID: String, reactor: Reactor, by start: (_ connection: Int32) throws -> Void
    ) throws -> KeeperLink {
        var pair: [Int32] = [-1, -1]
        try checked(clinux_socketpair(&pair), "socketpair")
        defer { Glibc.close(pair[1]) }
        do {
            try start(pair[1])
            return try KeeperLink(socket: pair[0], reactor: reactor, origin: .foreign(runID: runID))
        } catch {
            Glibc.close(pair[0])
            throw error
        }
    }

    /// Connects to a keeper that another daemon left behind; from now on it obeys this connection.
    ///
    /// - Throws: ENOENT or ECONNREFUSED when there is none any more: its guard may still be at work (see `status`).
    package static func connect(to directory: RunDirectory, reactor: Reactor) throws(SystemError) -> KeeperLink {
        // Through a descriptor of the directory: the address of a unix socket is at most 107 bytes long.
        let folder = try succeeded(
            Glibc.open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open \(directory.path)")
        defer { Glibc.close(folder) }
        let socket = try checked(
            clinux_unix_connect(folder, RunFile.control, Int32(SOCK_SEQPACKET.rawValue)),
            "connect \(directory.path)/\(RunFile.control)")
        do throws(SystemError) {
            return try KeeperLink(socket: socket, reactor: reactor, origin: .inherited)
        } catch {
            Glibc.close(socket)
            throw error
        }
    }

    /// Kills everything of a run that can be found without its keeper, once (rules N5, N6).
    ///
    /// - Returns: whether nothing was left already. If not, ask again: until then the run is not over.
    package static func killTree(_ spec: LaunchSpec) -> Bool {
        let cgroup = spec.cgroup.map(Cgroup.init(path:))
        cgroup?.kill()
        let strays = ProcessTree.killBearers(ofRun: spec.runID)
        if strays > 0 || cgroup?.isPopulated == true { return false }
        return cgroup?.remove() ?? true
    }

    /// Says something to the keeper. It never waits: what a stopped keeper does not take is kept, and of several
    /// deadlines that were not taken yet, the latest.
    package func send(_ order: KeeperOrder) {
        state.withLock { state in
            if !state.isConnected { return }
            var order = order
            if case .extend(let new) = order, case .extend(let old) = state.unsent.last {
                state.unsent.removeLast()
                order = .extend(deadline: max(old, new))
            }
            state.unsent.append(order)
        }
        reactor.run { self.flush() }
    }

    /// Kills the keeper itself: for one that is hung while its run is over. Its guard does the rest.
    package func killKeeper() {
        guard let process = state.withLock({ $0.process }) else { return }
        try? process.signal(SIGKILL)  // it may have ended meanwhile
    }

    /// Ends the connection, and the events. A keeper that has had its go goes on without it.
    package func close() {
        reactor.run {
            self.disconnect()
            self.forgetProcess()
            self.inlet.finish()
        }
    }

    // MARK: On the reactor's thread

    private func open() {
        do throws(SystemError) {
            let watch = try reactor.watch(socket) { self.ready($0) }
            state.withLock { $0.watch = watch }
            flush()
        } catch {
            // No watch, no connection: closing it is what the keeper, and our reader, must see.
            disconnect()
            tell(.disconnected)
        }
    }

    private func ready(_ interest: Reactor.Interest) {
        if interest.contains(.writable) { flush() }
        if interest.contains(.readable) { receive() }
    }

    private func flush() {
        while true {
            let next = state.withLock { $0.isConnected && $0.watch != nil ? $0.unsent.first : nil }
            guard let next else { return watchForRoom(false) }
            let packet = next.encode()
            let sent = clinux_send(socket, packet, packet.count)
            if sent == -Int(EAGAIN) || sent == -Int(EINTR) { return watchForRoom(true) }
            // One that a broken connection did not take is void; the break is seen when reading.
            state.withLock { state in
                if state.unsent.first == next { state.unsent.removeFirst() }
            }
        }
    }

    private func watchForRoom(_ wanted: Bool) {
        let changed = state.withLock { state -> Reactor.Watch? in
            if state.awaitsRoom == wanted { return nil }
            state.awaitsRoom = wanted
            return state.watch
        }
        guard let watch = changed else { return }
        reactor.change(watch, to: wanted ? [.readable, .writable] : .readable)
    }

    private func receive() {
        var packet = Bytes(repeating: 0, count: KeeperMessage.maximumSize)
        while state.withLock({ $0.isConnected }) {
            let count = clinux_receive(socket, &packet, packet.count)
            if count == -Int(EAGAIN) || count == -Int(EINTR) { return }
            if count <= 0 && count != -Int(EMSGSIZE) {
                disconnect()
                return tell(.disconnected)
            }
            // A report of another version is passed over: what it meant, the status and the deadline say as well.
            guard count > 0, let report = try? KeeperReport(decoding: Bytes(packet[..<count])) else { continue }
            if case .hello(let hello) = report { watchProcess(hello) }
            greeted.finish()
            tell(.report(report))
        }
    }

    private func disconnect() {
        greeted.finish()
        let (watch, first) = state.withLock { state in
            defer {
                state.watch = nil
                state.isConnected = false
                state.unsent = []
            }
            return (state.watch, state.isConnected)
        }
        if let watch {
            reactor.forget(watch) { Glibc.close(self.socket) }
        } else if first {
            Glibc.close(socket)
        }
    }

    private func tell(_ event: Event) {
        inlet.yield(event)
        let over = state.withLock { !$0.isConnected && $0.processWatch == nil }
        if over { inlet.finish() }
    }

    // MARK: Processes

    private func watchProcess(_ hello: KeeperReport.Hello) {
        if origin == .inherited, let guardian = try? PidFd(of: hello.guardian), guardian.reap() == nil {
            // After a re-exec the guard is our child without our having started it; of another's child we learn nothing.
            try? ChildReaper.start(hello.guardian, reactor)
        }
        guard state.withLock({ $0.process == nil }), let process = try? PidFd(of: hello.keeper) else { return }
        // The pid is the keeper's as long as the keeper holds its end of the connection: after an end, it may not be.
        if case .foreign(let runID) = origin, Cgroup.place(of: "\(hello.keeper)")?.contains(runID) != true { return }
        var byte: UInt8 = 0
        if recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 0 { return }
        let watch = try? reactor.watch(process.descriptor) { _ in self.keeperEnded() }
        state.withLock { state in
            state.process = process
            state.processWatch = watch
        }
    }

    private func keeperEnded() {
        // Whatever it had still said comes first.
        receive()
        forgetProcess()
        tell(.keeperDied)
    }

    private func forgetProcess() {
        let (watch, process) = state.withLock { state in
            defer { state.processWatch = nil }
            return (state.processWatch, state.process)
        }
        if let watch { reactor.forget(watch) { _ = process } }
    }
}
