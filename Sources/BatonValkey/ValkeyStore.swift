// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

public import BatonCore
public import BatonLock
import BatonSystem
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// Locks in a Valkey (or Redis) server. The seed's counterpart is its client, `valkey.Valkey`.
///
/// It is a service: nothing is sent before `run()` is called, and requests wait for a connection no longer than their
/// timeout. One connection carries all requests, pipelined; another one is made when somebody listens for
/// announcements, and another where replicas have to confirm. They are made again by themselves.
///
/// **Timeouts.** A request that is not answered in time fails with `unknownOutcome`; its reply, should it come, is
/// dropped. A server that leaves a request unanswered for `requestTimeout` is taken to be gone: the connection is closed
/// and made again. Cancelling a task does not end its request early.
///
/// **What it does not guarantee.** A server that fails over to a replica may forget a lock that it granted, unless
/// ``Configuration/replicas`` were waited for. Sentinel and Cluster are not spoken.
public final class ValkeyStore: Service {
    /// How the server is reached. Describes itself without the password.
    public let configuration: Configuration
    /// Where this process's tasks wait for this store's locks.
    public let waitingRoom = WaitingRoom()
    /// The thread that talks to the server; never nil. A task that prefers it saves two changes of threads a request,
    /// and must not block it.
    public let executor: (any TaskExecutor)?

    let loop: any EventLoop
    let link: NIOLoopBoundBox<CommandLink>
    /// Of requests whose answers replicas have to confirm: while they do, the connection takes nothing else.
    let confirmedLink: NIOLoopBoundBox<CommandLink>
    let announcements: NIOLoopBoundBox<Announcements>
    let listeners: AsyncStream<Void>
    let logger: Logger
    let condition = Mutex(Condition())
    let serverClock = StoreClock()

    /// What others may read at any time.
    struct Condition {
        var isRunning = false
        var state = StoreState.connecting
        var warnings: [String] = []
        /// How many replicas confirm, if they are too few; nil: enough do, or nobody waits for them.
        var confirmations: Int64?
        /// The process that the last connection led to; nil: it did not say.
        var server: String?
        /// The same of the subscription, while there is one.
        var announcer: String?
    }

    /// A store on the server that `configuration` names. Nothing is sent before ``run()``.
    ///
    /// - Parameters:
    ///   - configuration: which server, and how it is reached.
    ///   - logger: told of connections made and lost, and what is wrong with the server's settings; the store's address
    ///     is in its metadata as `store`.
    public init(_ configuration: Configuration, logger: Logger = Logger(label: "baton.valkey")) {
        self.configuration = configuration
        var logger = logger
        logger[metadataKey: "store"] = "\(configuration)"
        self.logger = logger
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        self.loop = loop
        executor = LoopExecutor(loop)
        let (listeners, wanted) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.listeners = listeners
        let reason = LockError(.unreachable, "not connected to \(configuration.peer) yet (is run() running?)")
        link = .makeBoxSendingValue(CommandLink(loop: loop, reason: reason), eventLoop: loop)
        confirmedLink = .makeBoxSendingValue(CommandLink(loop: loop, reason: reason), eventLoop: loop)
        announcements = .makeBoxSendingValue(
            Announcements(
                loop: loop, patience: TimeAmount(configuration.requestTimeout), logger: logger, wanted: wanted),
            eventLoop: loop)
    }

    /// A store on the server of a URL. Nothing is sent before ``run()``. The seed's `valkey.from_url`.
    ///
    /// - Parameters:
    ///   - url: as ``Configuration/init(url:)`` takes it.
    ///   - logger: as ``init(_:logger:)`` has it.
    /// - Throws: `LockError` with code `invalidArgument`, which does not quote the URL.
    public convenience init(url: String, logger: Logger = Logger(label: "baton.valkey")) throws(LockError) {
        self.init(try Configuration(url: url), logger: logger)
    }

    /// Whether the store can be asked; for `status`.
    package var state: StoreState { condition.withLock { $0.state } }

    /// What an operator should know about the server, as of the last connect.
    package var warnings: [String] {
        condition.withLock { $0.warnings + ($0.confirmations.map { [tooFew($0)] } ?? []) }
    }

    /// Keeps the store connected. Returns when the task is cancelled, or at a graceful shutdown.
    ///
    /// The store is closed then, for good: whatever is asked of it fails with `closed`.
    ///
    /// - Throws: `LockError` with code `invalidArgument` when it was called before. A server that cannot be reached is
    ///   not an error: it is tried again, with pauses of up to ``Configuration/maxReconnectDelay``.
    public func run() async throws {
        let isSecond = condition.withLock { condition in
            defer { condition.isRunning = true }
            return condition.isRunning
        }
        if isSecond { throw LockError(.invalidArgument, "run() of a store is called once") }
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.keepConnected() }
                if self.quorum.isNeeded { group.addTask { await self.keepConfirmedConnected() } }
                group.addTask { await self.keepSubscribed() }
            }
        }
        try? await loop.submit {  // the closure cannot fail
            self.link.value.close()
            self.confirmedLink.value.close()
            self.announcements.value.down()
        }.get()
    }

    // MARK: Requests

    /// Sends commands that travel together, and returns their replies, or the first one alone if that is an error.
    ///
    /// - Parameter isConfirmed: the last command is a ``confirmation(within:)``, whose reply is left out after a no.
    func send(
        _ commands: [Command], isConfirmed: Bool = false, until deadline: NIODeadline
    ) async -> Result<[Reply], LockError> {
        await withCheckedContinuation { submit(commands, isConfirmed, deadline, $0) }
    }

    @inline(never)
    private func submit(
        _ commands: [Command], _ isConfirmed: Bool, _ deadline: NIODeadline,
        _ continuation: CheckedContinuation<Result<[Reply], LockError>, Never>
    ) {
        do throws(LockError) {
            let formatted = try Commands(commands)
            if loop.inEventLoop {
                submitOnLoop(formatted, isConfirmed, deadline, continuation)
            } else {
                loop.execute { self.submitOnLoop(formatted, isConfirmed, deadline, continuation) }
            }
        } catch {
            continuation.resume(returning: .failure(error))
        }
    }

    private func submitOnLoop(
        _ commands: Commands, _ isConfirmed: Bool, _ deadline: NIODeadline,
        _ continuation: CheckedContinuation<Result<[Reply], LockError>, Never>
    ) {
        let link = isConfirmed ? confirmedLink : link
        link.value.submit(
            Transmission(
                commands, isDecidedByFirst: true, isConfirmed: isConfirmed, deadline: deadline,
                continuation: continuation))
    }

    /// Makes new connections for requests. What is in flight on the present ones ends with an unknown outcome.
    func giveUpConnection(because message: String) {
        loop.execute { [link, confirmedLink] in
            for link in [link, confirmedLink] { link.value.giveUp(because: LockError(.unreachable, message)) }
        }
    }

    /// What its answers say of the server's clock.
    public var clock: StoreClock? { serverClock }

    /// The server's time now, in microseconds since 1970 by its own clock, not later than it really is; nil before the
    /// first reply. Asks nobody.
    public func serverTime() -> Int64? { serverClock.now }

    /// The server's time as far as it is known: an hour after the last answer half a minute is not missing from it.
    public func tickTime() -> Int64? { serverClock.likelyNow }

    /// Runs `body` while announcements of this lock ring the bell.
    ///
    /// The first listener makes the store's second connection. The body starts without it when that takes more than a
    /// moment, and the bell rings when it is there.
    ///
    /// - Parameters:
    ///   - keys: which lock.
    ///   - body: what listens.
    /// - Throws: what `body` throws, and nothing else.
    public func withAnnouncements<Result: Sendable>(
        of keys: LockKeys, _ body: (Doorbell) async throws -> Result
    ) async throws -> Result {
        let bell = Doorbell()
        await withCheckedContinuation { ready in
            loop.execute { [announcements] in
                announcements.value.listen(on: keys.lock, bell, ready: ready)
            }
        }
        defer { disconnect(bell, from: keys) }
        return try await body(bell)
    }

    /// From now on announcements of this lock ring the bell. It rings when that is in force, and after each reconnect.
    public func connect(_ bell: Doorbell, to keys: LockKeys) {
        loop.execute { [announcements] in announcements.value.listen(on: keys.lock, bell) }
    }

    /// They ring it no more.
    public func disconnect(_ bell: Doorbell, from keys: LockKeys) {
        loop.execute { [announcements] in announcements.value.ignore(bell, on: keys.lock) }
    }
}

/// Runs `body` with a store that is kept connected, and closes the store afterwards.
///
/// - Parameters:
///   - url: the server, as ``ValkeyStore/Configuration/init(url:)`` takes it.
///   - logger: as ``ValkeyStore/init(_:logger:)`` has it.
///   - body: what uses the store. It starts at once: requests wait for the connection.
/// - Returns: what `body` returns.
/// - Throws: what `body` throws, or `LockError` with code `invalidArgument` for a URL that is none. A server that
///   cannot be reached is an error of the requests, not of this.
public func withValkeyStore<Result: Sendable>(
    url: String, logger: Logger = Logger(label: "baton.valkey"), _ body: (ValkeyStore) async throws -> Result
) async throws -> Result {
    try await withValkeyStore(ValkeyStore.Configuration(url: url), logger: logger, body)
}

/// Runs `body` with a store that is kept connected, and closes the store afterwards.
///
/// - Parameters:
///   - configuration: which server, and how it is reached.
///   - logger: as ``ValkeyStore/init(_:logger:)`` has it.
///   - body: what uses the store. It starts at once: requests wait for the connection.
/// - Returns: what `body` returns.
/// - Throws: what `body` throws. A server that cannot be reached is an error of the requests, not of this.
public func withValkeyStore<Result: Sendable>(
    _ configuration: ValkeyStore.Configuration, logger: Logger = Logger(label: "baton.valkey"),
    _ body: (ValkeyStore) async throws -> Result
) async throws -> Result {
    let store = ValkeyStore(configuration, logger: logger)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await store.run() }
        defer { group.cancelAll() }
        return try await body(store)
    }
}
