// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

/// The model as a store that breaks one rule: what the differential test has to find.
struct BrokenStore: LockStore {
    let inner: ModelStore
    let rule: BrokenRule

    func acquire(_ request: AcquireRequest, timeout: Duration) async throws(LockError) -> Stamped<AcquireReply> {
        var request = request
        rule.acquire(&request, inner)
        return try await inner.acquire(request, timeout: timeout)
    }

    func renew(_ request: RenewRequest, timeout: Duration) async throws(LockError) -> Stamped<RenewReply> {
        var request = request
        rule.renew(&request)
        return try await inner.renew(request, timeout: timeout)
    }

    func release(_ request: ReleaseRequest, timeout: Duration) async throws(LockError) -> Bool {
        var changed = request
        rule.release(&changed)
        let wasOurs = try await inner.release(changed, timeout: timeout)
        if wasOurs, rule.overwritesMarks, let mark = request.mark {
            try await inner.setMark(mark, on: request.keys, timeout: timeout)
        }
        return wasOurs
    }

    func look(at keys: LockKeys, timeout: Duration) async throws(LockError) -> LockView {
        try await inner.look(at: keys, timeout: timeout)
    }

    func look(at keys: LockKeys, withLedger: Bool, timeout: Duration) async throws(LockError) -> LockView {
        try await inner.look(at: keys, withLedger: withLedger, timeout: timeout)
    }

    func settle(_ request: SettleRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView> {
        var request = request
        rule.settle(&request)
        return try await inner.settle(request, timeout: timeout)
    }

    func ask(_ request: AskRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView.Asked> {
        var request = request
        rule.ask(&request)
        return try await inner.ask(request, timeout: timeout)
    }

    func history(of keys: LockKeys, limit: Int, timeout: Duration) async throws(LockError) -> [Bytes] {
        try await inner.history(of: keys, limit: limit, timeout: timeout)
    }

    func setMark(_ mark: Mark?, on keys: LockKeys, timeout: Duration) async throws(LockError) {
        try await inner.setMark(mark, on: keys, timeout: timeout)
    }

    func restoreMark(_ mark: Mark, on keys: LockKeys, timeout: Duration) async throws(LockError) -> Bool {
        try await inner.restoreMark(mark, on: keys, timeout: timeout)
    }

    var waitingRoom: WaitingRoom { inner.waitingRoom }

    func serverTime() -> Int64? { inner.serverTime() }

    func withAnnouncements<Result: Sendable>(
        of keys: LockKeys, _ body: (Doorbell) async throws -> Result
    ) async throws -> Result {
        try await inner.withAnnouncements(of: keys, body)
    }
}

/// A rule, and how a store breaks it: by doing as if it had been asked something else.
struct BrokenRule: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var acquire: @Sendable (inout AcquireRequest, ModelStore) -> Void = { _, _ in }
    var renew: @Sendable (inout RenewRequest) -> Void = { _ in }
    var release: @Sendable (inout ReleaseRequest) -> Void = { _ in }
    var settle: @Sendable (inout SettleRequest) -> Void = { _ in }
    var ask: @Sendable (inout AskRequest) -> Void = { _ in }
    var overwritesMarks = false

    init(_ name: String) { testDescription = name }

    static let all: [BrokenRule] = [
        acquiring("a token of the caller's is a yes again") { $0.tokenIsFresh = true },
        acquiring("a fresh token is not known again") { if $0.claim == nil { $0.tokenIsFresh = false } },
        acquiring("a late acquire is carried out") { $0.notAfter = nil },
        acquiring("another max_lock_timeout is accepted") {
            if $0.guarding != nil { $0.guarding?.maxLockTimeout = maxLockTimeout }
        },
        acquiring("a claim is not accepted") { $0.guarding?.claim = nil },
        acquiring("a floor is ignored") { if $0.fence != nil { $0.fence?.floor = 0 } },
        acquiring("marks are not heeded") { $0.heedsMarks = false },
        acquiring("a lease is a little short") {
            $0.timeout = $0.timeout.map { max($0 - .milliseconds(1), .milliseconds(1)) }
        },
        acquiring("the holder is not recorded") { $0.holder = nil },
        BrokenRule("any nonce will do") { request, store in
            guard case .unsettled(let nonce, _) = store.wouldAnswer(request) else { return }
            request.guarding?.nonce = nonce
        },
        BrokenRule("any claim will do") { request, store in
            guard case .orphaned(let seen) = store.wouldAnswer(request) else { return }
            request.guarding?.claim = seen.owner
        },
        renewing("a vanished lock is put back late") { if $0.notAfter != nil { $0.notAfter = .max } },
        renewing("a vanished lock is not put back") { $0.notAfter = nil },
        renewing("a renewal does not raise the fence") { $0.fence = 0 },
        renewing("adoption keeps the old token") { $0.successor = nil },
        renewing("a renewal leaves the owner record alone") { $0.guarding = nil },
        renewing("extending starts over") {
            if case .add(let more) = $0.change { $0.change = .reset(max(more, .seconds(1))) }
        },
        releasing("a release leaves the owner record") { $0.guarding = false },
        releasing("a release clears what it should not") { $0.guarding = true },
        releasing("a release sets no mark") { $0.mark = nil },
        overwritingMarks("a release overrules the operator"),
        BrokenRule("a claim is not compared") { request, store in
            guard case .ledger(let view) = store.wouldAnswer(request) else { return }
            request.claim?.expected = view.entry?.key
        },
        acquiring("nothing is claimed") { $0.claim = nil },
        acquiring("a claim's floor is ignored") { $0.claim?.floor = 0 },
        acquiring("a claim's lines are lost") { $0.claim?.lines = [] },
        acquiring("whose claim it is does not matter") { $0.claim?.info = [] },
        renewing("a renewal teaches nothing") { $0.ledger = nil },
        releasing("an outcome is lost") { $0.outcome = nil },
        releasing("an outcome's line is lost") { $0.outcome?.line = nil },
        settling("nothing is settled") { $0.tick = nil },
        settling("a floor is not kept") { $0.floor = 0 },
        settling("lines are lost") { $0.lines = [] },
        settling("a store that forgot settles") { $0.guarding = nil },
        asking("a call that is repeated is another") { $0.call += Token.fresh() },
    ]

    private init(
        _ name: String,
        _ acquire: @escaping @Sendable (inout AcquireRequest, ModelStore) -> Void
    ) {
        self.init(name)
        self.acquire = acquire
    }

    private static func acquiring(_ name: String, _ change: @escaping @Sendable (inout AcquireRequest) -> Void) -> Self
    {
        BrokenRule(name) { request, _ in change(&request) }
    }

    private static func renewing(_ name: String, _ change: @escaping @Sendable (inout RenewRequest) -> Void) -> Self {
        var rule = BrokenRule(name)
        rule.renew = change
        return rule
    }

    private static func releasing(_ name: String, _ change: @escaping @Sendable (inout ReleaseRequest) -> Void) -> Self
    {
        var rule = BrokenRule(name)
        rule.release = change
        return rule
    }

    private static func settling(_ name: String, _ change: @escaping @Sendable (inout SettleRequest) -> Void) -> Self {
        var rule = BrokenRule(name)
        rule.settle = change
        return rule
    }

    private static func asking(_ name: String, _ change: @escaping @Sendable (inout AskRequest) -> Void) -> Self {
        var rule = BrokenRule(name)
        rule.ask = change
        return rule
    }

    private static func overwritingMarks(_ name: String) -> Self {
        var rule = BrokenRule(name)
        rule.overwritesMarks = true
        return rule
    }
}
