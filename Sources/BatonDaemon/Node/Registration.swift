// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging
import Synchronization

/// Tells the other nodes, by way of the store, that this one is alive and how its jobs stand, and finds out what they
/// say.
///
/// A store that can't be reached is no error: nothing but what people are shown depends on it, and that a second daemon
/// of this name takes no new runs.
final class Registration: Sendable {
    /// A record that changed is sent again, but not more often than this: it may be large.
    private static let shortestPause = Duration.seconds(2)
    private static let tick = Duration.seconds(1)

    private let registry: any NodeRegistry
    private let keys: NodeKeys
    private let instance: String
    /// The last daemon of this node.
    private let predecessor: String?
    private let timeout: Duration
    private let board: StatusBoard
    private let room: RunRoom
    private let logger: Logger
    private let since = WallClock.rfc3339()

    private struct State {
        /// Of the job files in use.
        var digests: [String: UInt64]
        /// What the digests and the board said last.
        var record: (edition: Int, bytes: Bytes)?
        /// What the others said last, and when.
        var nodes: (at: Instant, nodes: [RegisteredNode])?
        /// Why the last request failed: said once.
        var trouble: String?
    }
    private let state: Mutex<State>

    /// - Parameters:
    ///   - context: the node.
    ///   - digests: of its job files.
    ///   - predecessor: the instance of its last daemon.
    init(_ context: NodeContext, registry: any NodeRegistry, digests: [String: UInt64], predecessor: String?) {
        self.registry = registry
        self.predecessor = predecessor
        keys = NodeKeys(prefix: context.storeSettings.prefix, name: context.name)
        instance = context.instance
        timeout = context.storeSettings.requestTimeout
        board = context.board
        room = context.room
        logger = context.logger
        state = Mutex(State(digests: digests))
    }

    /// The job files are others now.
    func use(_ digests: [String: UInt64]) {
        state.withLock { state in
            state.digests = digests
            state.record = nil
        }
    }

    // MARK: Saying

    /// Keeps this node registered until cancelled.
    func run() async {
        var machine = RegistrationMachine()
        while !Task.isCancelled {
            let sent = machine.wanted(record())
            if let reply = await ask(sent) {
                obey(machine.handle(reply, to: sent, at: BootClock.now()))
                // The store forgot us, or the name has become free: with everything, now.
                if reply == .unknown, sent == nil { continue }
            }
            await pause(machine)
        }
    }

    /// Ends the registration; call it when ``run()`` has returned.
    func leave() async {
        do throws(LockError) {
            _ = try await registry.unregister(keys, instance: instance, timeout: timeout)
        } catch {
            logger.debug("not unregistered", metadata: ["reason": "\(error.message)"])
        }
    }

    private func ask(_ record: Bytes?) async -> RegisterReply? {
        let request = RegisterRequest(
            keys: keys, instance: instance, predecessor: predecessor, record: record,
            timeToLive: RegistrationMachine.timeToLive)
        do throws(LockError) {
            let reply = try await registry.register(request, timeout: timeout)
            state.withLock { $0.trouble = nil }
            return reply
        } catch {
            let isNew = state.withLock { state in
                defer { state.trouble = error.message }
                return state.trouble != error.message
            }
            if isNew {
                logger.notice("other nodes are not told of this one", metadata: ["reason": "\(error.message)"])
            }
            return nil
        }
    }

    private func obey(_ verdict: RegistrationMachine.Verdict?) {
        switch verdict {
        case .barred(let other):
            logger.log(
                level: .error, "another live batond has this node's name: nothing new is started here",
                event: .nameTaken,
                metadata: ["node": "\(keys.name)", "other": "\(other)", "instance": "\(instance)"])
            room.bar(by: other)
        case .admitted:
            logger.log(
                level: .notice, "this node's name is free again", event: .nameFree,
                metadata: ["node": "\(keys.name)"])
            room.bar(by: nil)
        case nil: break
        }
    }

    private func pause(_ machine: RegistrationMachine) async {
        let began = BootClock.now()
        while !Task.isCancelled {
            try? await BootClock.sleep(until: BootClock.now() + Self.tick)  // cancelled: the loop ends
            let passed = BootClock.now() - began
            if passed >= RegistrationMachine.interval { return }
            if passed >= Self.shortestPause, machine.wanted(record()) != nil { return }
        }
    }

    /// What is to be said, made anew when a job or a file has changed.
    private func record() -> Bytes {
        // Before the jobs are read: a post in between is seen the next time.
        let edition = board.edition
        let (known, digests) = state.withLock { ($0.record, $0.digests) }
        if let known, known.edition == edition { return known.bytes }
        let states = Dictionary(board.all().map { ($0.name, $0.state) }) { first, _ in first }
        // Each that has a file: not the end of an earlier daemon's run, but a job whose loop has not begun yet.
        let jobs = digests.sorted { $0.key < $1.key }.map { name, digest in
            NodeRecord.Job(name: name, digest: digest, standing: states[name].map { .init($0) } ?? .other)
        }
        let bytes = NodeRecord(
            node: keys.name, instance: instance, version: BatonVersion.current, since: since, jobs: jobs
        ).encode()
        state.withLock { if $0.digests == digests { $0.record = (edition, bytes) } }
        return bytes
    }

    // MARK: Hearing

    /// The live nodes, as the store has them now, or had them not longer ago than `age`.
    func nodes(notOlderThan age: Duration = .zero) async throws(LockError) -> [RegisteredNode] {
        let now = BootClock.now()
        if let last = state.withLock({ $0.nodes }), now - last.at < age { return last.nodes }
        let nodes = try await registry.nodes(prefix: keys.prefix, timeout: timeout)
        state.withLock { $0.nodes = (now, nodes) }
        return nodes
    }

    /// For `status`, and for `nodes`.
    var warnings: [String] {
        guard let other = room.barredBy else { return [] }
        return [
            """
            another live batond (instance \(other)) has this node's name, \(keys.name): nothing new is started here \
            until one of the two has another node.name and was restarted
            """
        ]
    }
}

extension Registration {
    /// Leaves this daemon's instance in the runtime directory for the next one, and returns the last one's.
    static func succeed(in runtime: String, as instance: String, logger: Logger) -> String? {
        let path = "\(runtime)/instance"
        let text = ((try? Files.read(path, limit: 256)) ?? nil).map { String(decoding: $0, as: UTF8.self) }
        do {
            try Files.write(path, Bytes(instance.utf8))
        } catch {
            // The next daemon has to wait until the record of this one is over.
            logger.warning("instance not written to disk", metadata: ["reason": "\(error)"])
        }
        return text.flatMap { $0.isEmpty || $0.contains("\n") ? nil : $0 }
    }
}
