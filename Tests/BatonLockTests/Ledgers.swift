// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport

/// What the cases about ledgers ask, and a ledger to ask about.
extension AcquireRequest {
    /// What a daemon sends for a run.
    static func claiming(_ token: String, _ claim: LedgerClaim, nonce: Bytes? = nil, ownerRecord: Bytes? = nil) -> Self
    {
        var request = AcquireRequest.daemon(token, nonce: nonce, claim: ownerRecord)
        request.claim = claim
        return request
    }
}

extension LedgerClaim {
    /// The next attempt, or another tick, after what was seen.
    init(
        after view: LedgerView, tick: Int64, attempt: Int = 1, manual: Int64? = nil, floor: Int64 = 0,
        info: String = "run", lines: [String] = []
    ) {
        self.init(
            expected: view.entry?.key, tick: tick, attempt: attempt, manual: manual, floor: floor, info: bytes(info),
            lines: lines.map { bytes($0) })
    }
}

extension AcquireReply {
    var ledger: LedgerView? { if case .ledger(let view) = self { view } else { nil } }
}

extension LedgerEntry: Changeable {}
extension LedgerClaim: Changeable {}
extension AcquireRequest: Changeable {}

extension LockStore {
    func ledger(_ keys: LockKeys = .report) async throws -> LedgerView {
        try #require(try await look(at: keys, withLedger: true, timeout: patience).ledger)
    }

    func history(_ limit: Int = 1000) async throws -> [String] {
        try await history(of: .report, limit: limit, timeout: patience).map { String(decoding: $0, as: UTF8.self) }
    }

    @discardableResult
    func settleTicks(
        floor: Int64 = 0, after view: LedgerView? = nil, upTo tick: Int64? = nil, _ lines: String...
    ) async throws -> LedgerView {
        let request = SettleRequest(
            keys: .report, guarding: .init(maxLockTimeout: maxLockTimeout), floor: floor, expected: view?.entry?.key,
            tick: tick, lines: lines.map { bytes($0) })
        return try await settle(request, timeout: patience).reply
    }

    func ask(_ call: String, by: String = "ops") async throws -> LedgerView.Asked {
        let request = AskRequest(keys: .report, by: by, call: bytes(call))
        return try await ask(request, timeout: patience).reply
    }

    /// The second that it is by the store's clock, or the one before.
    func second() throws -> Int64 { try #require(tickTime()) / 1_000_000 }

    /// Ends a run, and gives the lock back.
    func end(
        _ token: String, _ run: LedgerEntry, _ outcome: String = "ok", line: String? = nil
    ) async throws -> Bool {
        let record = RunRecord(run: run, outcome: bytes(outcome), line: line.map { bytes($0) })
        let request = ReleaseRequest(keys: .report, token: bytes(token), guarding: true, outcome: record)
        return try await release(request, timeout: patience)
    }
}

extension StoreUnderTest {
    /// Settles the store, and opens the ledger a hundred seconds ago.
    func open() async throws -> LedgerView {
        try await store.settle()
        let entry = try #require(try await store.settleTicks().entry)
        try await movePosition(.report, entry.tick - 100)
        let view = try await store.ledger()
        #expect(view.entry?.tick == entry.tick - 100)
        return view
    }

    /// Opens the ledger, and claims the next tick in it. The entry is the claim's.
    func run(_ token: String = "a", info: String = "run", manual: Int64? = nil) async throws -> LedgerEntry {
        let view = try await open()
        return try await claim(token, LedgerClaim(after: view, tick: try #require(view.entry).tick + 1, info: info))
    }

    /// The entry of a claim that is to be granted.
    func claim(_ token: String, _ claim: LedgerClaim) async throws -> LedgerEntry {
        let reply = try await store.acquire(.claiming(token, claim))
        guard let fence = reply.grant?.fence else { throw TestFailure("not granted: \(reply)") }
        let entry = try #require(try await store.ledger().entry)
        #expect(entry == claim.entry(fence: fence, at: entry.changed))
        return entry
    }
}
