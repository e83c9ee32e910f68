// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Logging
import NIOCore
import Synchronization

/// The connections: each is made, used until it ends, and made again. And what is told of them.
extension ValkeyStore {
    /// The one for requests, by which the store's state goes.
    func keepConnected() async {
        await reconnecting { (connector) async throws(LockError) -> Connection in
            let question = self.serverClock.ask()
            let (connection, greeting) = try await connector.connect()
            self.meet(greeting, after: question, leaving: self.confirmedLink)
            self.becameConnected(greeting)
            self.loop.execute { self.link.value.up(connection.handler.value) }
            return connection
        } ended: { reason in
            self.becameUnreachable(reason)
            self.loop.execute { self.link.value.down(reason) }
        }
    }

    /// The one for requests whose answers replicas confirm.
    func keepConfirmedConnected() async {
        await reconnecting { (connector) async throws(LockError) -> Connection in
            let question = self.serverClock.ask()
            let (connection, greeting) = try await connector.connect()
            self.meet(greeting, after: question, leaving: self.link)
            self.loop.execute { self.confirmedLink.value.up(connection.handler.value) }
            return connection
        } ended: { reason in
            self.loop.execute { self.confirmedLink.value.down(reason) }
        }
    }

    /// The one for announcements, once somebody listens.
    func keepSubscribed() async {
        for await _ in listeners { break }
        await reconnecting { (connector) async throws(LockError) -> Connection in
            let (connection, greeting) = try await connector.connect()
            self.condition.withLock { $0.announcer = greeting.server }
            self.loop.execute { self.announcements.value.up(connection.handler.value) }
            return connection
        } ended: { _ in
            self.condition.withLock { $0.announcer = nil }
            self.loop.execute { self.announcements.value.down() }
        }
    }

    /// Connects, waits for the end of the connection, pauses, and so on, until the task is cancelled.
    private func reconnecting(
        _ connect: (Connector) async throws(LockError) -> Connection, ended: (LockError) -> Void
    ) async {
        let connector = Connector(configuration: configuration, loop: loop)
        var backoff = Backoff(longest: configuration.maxReconnectDelay)
        while !Task.isCancelled {
            let reason: LockError
            do throws(LockError) {
                let connection = try await connect(connector)
                backoff.reset()
                reason = await connection.closed().whileInUse
            } catch {
                reason = error
            }
            if Task.isCancelled { return }
            ended(reason)
            try? await Task.sleep(for: backoff.pause(chance: .random(in: 0...1)))  // cancelled: the loop ends
        }
    }

    private func becameConnected(_ greeting: Greeting) {
        condition.withLock { condition in
            condition.state = .connected
            condition.warnings = greeting.warnings
        }
        logger.info("connected to the store", metadata: Self.event(.storeReachable))
        for warning in greeting.warnings { logger.warning("\(warning)", metadata: Self.event(.storeWarning)) }
        if quorum.isNeeded, let connected = greeting.replicas, !quorum.isMet(by: connected) {
            replicasConfirmed(connected)
        }
    }

    /// How many replicas confirm, where they are too few; nil: enough do. For people.
    func replicasConfirmed(_ confirmations: Int64?) {
        let isNews = condition.withLock { condition in
            defer { condition.confirmations = confirmations }
            return (condition.confirmations == nil) != (confirmations == nil)
        }
        guard isNews else { return }
        if let confirmations {
            logger.warning("\(tooFew(confirmations))", metadata: Self.event(.storeWarning))
        } else {
            logger.notice("the store's replicas confirm again")
        }
    }

    func tooFew(_ confirmations: Int64) -> String {
        """
        \(confirmations) of the store's \(configuration.replicas) replicas confirm: nothing is granted or renewed \
        before all of them do
        """
    }

    /// A server that is known to be another than before has a clock of its own. One that does not say who it is counts as
    /// the same: a jump of its clock is then taken for one, which is safe.
    ///
    /// The server before may still answer, and announce.
    ///
    /// - Parameter other: what leads to the server before, and shall not.
    private func meet(
        _ greeting: Greeting, after question: StoreClock.Question, leaving other: NIOLoopBoundBox<CommandLink>
    ) {
        let (isAnother, isAnnouncedElsewhere) = condition.withLock { condition in
            defer { condition.server = greeting.server ?? condition.server }
            func isNot(_ server: String?) -> Bool {
                server != nil && greeting.server != nil && server != greeting.server
            }
            return (isNot(condition.server), isNot(condition.announcer))
        }
        let reason = LockError(.unreachable, "\(configuration.peer) is another server now")
        if isAnother {
            loop.execute {
                other.value.giveUp(because: reason)
                self.announcements.value.ringAll()
            }
        }
        if isAnnouncedElsewhere { loop.execute { self.announcements.value.giveUp(because: reason) } }
        let question = isAnother ? serverClock.becomeAnother(since: question) : question
        _ = serverClock.heard(greeting.serverTime, inAnswerTo: question)
    }

    private func becameUnreachable(_ reason: LockError) {
        let before = condition.withLock { condition in
            defer { condition.state = .unreachable(reason.message) }
            return condition.state
        }
        // Once per reason: it is being tried again every second.
        if before == .unreachable(reason.message) { return }
        logger.warning(
            "the store cannot be reached",
            metadata: Self.event(.storeUnreachable).merging(["reason": "\(reason.message)"]) { $1 })
    }

    /// So that a log handler can tell kinds of events apart.
    private static func event(_ kind: EventKind) -> Logger.Metadata { [EventKind.metadataKey: "\(kind.rawValue)"] }
}
