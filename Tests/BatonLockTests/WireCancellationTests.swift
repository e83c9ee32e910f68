// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// The moment at which the calling task is cancelled.
struct WireMoment: Sendable {
    let name: String
    /// What is done to the wire beforehand.
    var prepare: @Sendable (WireCell, WireCall) throws -> Void = { _, _ in }
    /// Returns at the moment.
    let comes: @Sendable (WireCell) async throws -> Void
    /// Nothing of the call's is under way that could be waited for: it ends at once, however patient the store is.
    var isIdle = false
    /// What was held back is let go afterwards, while the call may still run; otherwise it is lost.
    var goesOn = true

    static let all = [
        WireMoment(name: "before anything is sent", comes: { _ in }),
        struck("when the request is on its way", .requestHeld),
        struck("when the request is lost", .requestLost, goesOn: false),
        struck("when the server has done it", .replyHeld),
        struck("when the reply is lost", .replyLost, goesOn: false),
        struck("when half of the reply has come", .replyHalved, goesOn: false),
        struck("when the reply has come", .replyLate(.zero)),
        struck("when the connection is lost", .requestCut(.before, .rst), goesOn: false),
        WireMoment(
            name: "while there is no connection", prepare: { cell, _ in cell.proxy.refuse() },
            comes: { cell in
                try await eventually("the store has lost its connection") { cell.store.state != .connected }
            }),
        WireMoment(
            name: "while the server is loading",
            prepare: { cell, row in
                cell.proxy.strikeAlways(WireStep(command: row.command), .refused(WireCase.passingErrors[0]))
            }, comes: { try await $0.proxy.struck(2) }),
    ]

    /// Moments of those who wait for a lock that another holds.
    static let waiting = [
        WireMoment(
            name: "while it waits", prepare: { cell, _ in try cell.hold("other") },
            comes: { try await $0.subscribed() }, isIdle: true),
        subscribing("while the subscription is connected", "CLIENT", .replyHeld),
        subscribing("while the subscription does not connect", "CLIENT", .replyLost, goesOn: false),
        subscribing("while the subscription is on its way", "SUBSCRIBE", .requestHeld),
        subscribing("when the subscription's reply is lost", "SUBSCRIBE", .replyLost, goesOn: false),
        subscribing("when the subscription is refused", "SUBSCRIBE", .refused("NOPERM no")),
    ]

    private static func struck(_ name: String, _ fault: WireFault, goesOn: Bool = true) -> WireMoment {
        WireMoment(
            name: name, prepare: { cell, row in cell.proxy.strike(WireStep(command: row.command), fault) },
            comes: { try await $0.proxy.struck() }, goesOn: goesOn)
    }

    private static func subscribing(
        _ name: String, _ command: String, _ fault: WireFault, goesOn: Bool = true
    ) -> WireMoment {
        WireMoment(
            name: name,
            prepare: { cell, _ in
                try cell.hold("other")
                cell.proxy.strike(WireStep(command: command), fault)
            }, comes: { try await $0.proxy.struck() }, isIdle: true, goesOn: goesOn)
    }
}

/// The calling task is cancelled at each step of each method: the call ends, soon, and no lock is left behind.
@Suite(.timeLimit(.minutes(2)))
struct WireCancellationTests {
    @Test(arguments: WireCall.all)
    func cancelledCallsLeaveNothingBehind(row: WireCall) async throws {
        let moments = WireMoment.all + (row.acquires ? WireMoment.waiting : [])
        try await WireCell.withTaughtServer { server in
            await WireCell.each(moments) { number, moment in
                try await WireCell.with(
                    "\(row.testDescription), cancelled \(moment.name)", server, number: number,
                    { if moment.isIdle { $0.requestTimeout = .seconds(30) } }
                ) { cell in try await Self.cancel(row, moment, cell) }
            } title: {
                "\(row.testDescription), cancelled \($0.name)"
            }
        }
    }

    private static func cancel(_ row: WireCall, _ moment: WireMoment, _ cell: WireCell) async throws {
        let (title, proxy) = (cell.title, cell.proxy)
        let timeout: Duration? = row.isLasting ? nil : WireCell.brief * 6
        let lock = try Lock(cell.store, name: cell.lock, timeout: timeout, fences: row.fences)
        if !row.acquires { try await cell.insists { try await lock.acquire() } }
        try moment.prepare(cell, row)

        let task = Task { try await row.call(lock, .forever) }  // cancelled, and awaited, below
        try await moment.comes(cell)
        task.cancel()
        let start = ContinuousClock.now
        if moment.goesOn {
            proxy.calm()
            proxy.deliver()
        }
        let outcome = await task.result
        let time = ContinuousClock.now - start
        let answer = timeout.map { $0 / 6 } ?? .seconds(1)
        let limit = moment.isIdle ? .zero : answer * (row.acquires ? 5 : 2)
        #expect(time < limit + WireCell.margin, "\(title): it took \(time)")
        proxy.calm()
        proxy.deliver()

        switch outcome {
        case .failure(let error as LockError) where error.code == .unknownOutcome && row.acquires:
            #expect(row.token != nil, "\(title): \(error)")
            try await cell.givesBack(lock)
        case .failure(let error) where row.acquires:
            #expect(error is CancellationError, "\(title): \(error)")
            #expect(lock.lease == nil, "\(title)")
        case .success, .failure: if lock.lease != nil { try await cell.givesBack(lock) }
        }
        try await proxy.settle()
        let left = try cell.holder
        #expect(left == nil || left == bytes("other"), "\(title): a lock is left")
        try cell.server.ask("DEL", cell.lock)
        try await cell.insists { try await lock.acquire(.atMost(.seconds(10))) }
        try await cell.givesBack(lock)
    }
}
