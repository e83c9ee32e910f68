// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

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
