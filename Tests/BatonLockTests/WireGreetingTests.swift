// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// Faults in the first exchange on a connection: nothing that was asked is sent before it is over.
@Suite(.timeLimit(.minutes(2)))
struct WireGreetingTests {
    /// The commands of the greeting. Without a name and without INFO a server is of use all the same.
    @Test(arguments: ["AUTH", "SELECT", "CLIENT", "TIME", "INFO"])
    func aGreetingThatFailsIsBegunAgain(command: String) async throws {
        try await withServer(.init(arguments: ["--databases", "4"])) { server in
            try server.ask("ACL", "SETUSER", "baton", "on", ">secret", "~*", "&*", "+@all")
            let title = { @Sendable (column: WireCase) in "\(command), \(column.name)" }
            await WireCell.each(WireCase.all) { number, column in
                try await WireCell.with(
                    title(column), server, number: number,
                    {
                        $0.username = "baton"
                        $0.password = "secret"
                        $0.database = 2
                        $0.connectTimeout = column.hangs ? .milliseconds(300) : .seconds(5)
                    }, greeting: (WireStep(command: command), column)
                ) { cell in try await Self.greet(cell, command, column) }
            } title: {
                title($0)
            }
        }
    }

    private static func greet(_ cell: WireCell, _ command: String, _ column: WireCase) async throws {
        let title = cell.title
        let isNeeded = !["CLIENT", "INFO"].contains(command)
        let lock = try Lock(cell.store, name: cell.lock, timeout: .seconds(30))
        let start = ContinuousClock.now
        let outcome: Result<Bool, any Error>
        let wait = Lock.Wait.atMost(column.isLasting ? .milliseconds(400) : .seconds(20))
        do { outcome = .success(try await lock.acquire(wait)) } catch { outcome = .failure(error) }
        #expect(.now - start < .seconds(5) + WireCell.margin, "\(title)")

        switch (outcome, column.expectation) {
        case _ where !WireCell.isPunctual: break
        case (.success(true), .fails) where column.isLasting && isNeeded: Issue.record("\(title): it succeeded")
        case (.success(true), _): break
        case (.failure(let error as LockError), .fails(let code, let word)):
            let expected = code == .notPermitted ? [code] : [.unreachable]
            #expect(expected.contains(error.code), "\(title): \(error.code): \(error)")
            #expect(error.message.contains(word), "\(title): \(error)")
        case (.failure(let error as LockError), .unknown) where column.isNoGreeting:
            // What does not speak the protocol is not waited for.
            #expect(error.code == .protocolViolation, "\(title): \(error.code): \(error)")
        case (.success, _), (.failure, _): Issue.record("\(title): \(outcome)")
        }
        #expect(cell.proxy.swallowed < 16 << 20, "\(title): \(cell.proxy.swallowed) bytes were taken in")

        cell.proxy.calm()
        cell.proxy.deliver()
        if lock.lease != nil { try await cell.givesBack(lock) }
        try await eventually("\(title): it is had in the end") {
            do { return try await lock.acquire(.atMost(.seconds(10))) } catch is LockError { return false }
        }
        try await cell.givesBack(lock)
    }

    /// The server's last word, before it has read anything and after.
    @Test(
        arguments: [true, false], ["ERR max number of clients reached", "DENIED Redis is running in protected mode"])
    func theReasonOfAServerThatHangsUpIsTold(hasRead: Bool, reason: String) async throws {
        try await withPeer { receive, send in
            if hasRead { _ = receive() }
            send(Array("-\(reason)\r\n".utf8))
        } _: { peer in
            var configuration = peer.configuration
            configuration.password = "secret"
            try await withValkeyStore(configuration) { store in
                let error = await #expect(throws: LockError.self) {
                    try await store.look(at: .report, timeout: .milliseconds(300))
                }
                #expect(error?.message.contains(reason) == true, "\(String(describing: error))")
                #expect(error?.code == (reason.hasPrefix("DENIED") ? .notPermitted : .unreachable))
            }
        }
    }
}

extension WireCase {
    /// The peer is not a server, as far as one can tell.
    fileprivate var isNoGreeting: Bool {
        switch fault {
        case .replyReplaced, .replyEndless: true
        default: false
        }
    }
}
