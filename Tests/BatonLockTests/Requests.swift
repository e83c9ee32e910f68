// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport

/// The timeouts of the cases: long enough for a busy machine, so that no lock runs out unless a case says so.
let leaseLength = Duration.seconds(20)
let maxLockTimeout = Duration.seconds(30)
let patience = Duration.seconds(20)

func bytes(_ text: String) -> Bytes { Bytes(text.utf8) }

extension LockKeys {
    static let report = LockKeys(prefix: "test", job: "report")
}

extension AcquireRequest {
    /// What a daemon sends: guard, fence, holder record, marks.
    static func daemon(
        _ token: String, on keys: LockKeys = .report, timeout: Duration = leaseLength, nonce: Bytes? = nil,
        claim: Bytes? = nil, floor: Int64 = 0, notAfter: Int64? = nil
    ) -> AcquireRequest {
        var request = AcquireRequest(keys: keys, token: bytes(token), tokenIsFresh: true, timeout: timeout)
        request.guarding = .init(nonce: nonce, claim: claim, maxLockTimeout: maxLockTimeout)
        request.fence = .init(floor: floor)
        request.holder = bytes("held by \(token)")
        request.heedsMarks = true
        request.notAfter = notAfter
        return request
    }

    /// What the seed sends.
    static func plain(_ token: String, on keys: LockKeys = .report, timeout: Duration? = leaseLength) -> AcquireRequest
    {
        AcquireRequest(keys: keys, token: bytes(token), tokenIsFresh: false, timeout: timeout)
    }
}

extension RenewRequest {
    /// A daemon's renewal; `notAfter` in microseconds of the server.
    static func daemon(
        _ token: String, on keys: LockKeys = .report, change: Change = .reset(leaseLength), notAfter: Int64?,
        fence: Int64 = 0
    ) -> RenewRequest {
        var request = RenewRequest(keys: keys, token: bytes(token), change: change)
        request.guarding = .init(maxLockTimeout: maxLockTimeout)
        request.notAfter = notAfter
        request.fence = fence
        request.holder = bytes("held by \(token)")
        return request
    }
}

extension LockStore {
    func acquire(_ request: AcquireRequest) async throws -> AcquireReply {
        try await acquire(request, timeout: patience).reply
    }
    func renew(_ request: RenewRequest) async throws -> RenewReply { try await renew(request, timeout: patience).reply }
    func look(_ keys: LockKeys = .report) async throws -> LockView { try await look(at: keys, timeout: patience) }

    func release(
        _ token: String, of keys: LockKeys = .report, mark: Mark? = nil, guarding: Bool = true
    ) async throws -> Bool {
        let request = ReleaseRequest(keys: keys, token: bytes(token), mark: mark, guarding: guarding)
        return try await release(request, timeout: patience)
    }

    /// Goes through the wait of a store that does not know its past (without the waiting), so that it grants locks.
    ///
    /// The nonce that was presented is returned.
    @discardableResult
    func settle(_ keys: LockKeys = .report) async throws -> Bytes {
        let nonce = try await nonce(keys)
        let other = LockKeys(prefix: "test", job: "settling")
        _ = try #require(try await acquire(.daemon("settler", on: other, nonce: nonce)).grant)
        #expect(try await release("settler", of: other))
        return nonce
    }

    /// The nonce that an unsettled store asks to be presented.
    func nonce(_ keys: LockKeys = .report) async throws -> Bytes {
        guard case .unsettled(let nonce, let wait) = try await acquire(.daemon("asks", on: keys)) else {
            throw TestFailure("the store is settled")
        }
        #expect(wait == maxLockTimeout)
        return nonce
    }

    /// Server time, so many seconds from now.
    func serverTime(in seconds: Int64) throws -> Int64 { try #require(serverTime()) + seconds * 1_000_000 }
}

extension AcquireReply {
    var grant: Grant? { if case .granted(let grant) = self { grant } else { nil } }
    var heldBy: Sighting? { if case .held(let sighting) = self { sighting } else { nil } }
    var orphanOf: Sighting? { if case .orphaned(let sighting) = self { sighting } else { nil } }
    var mark: Mark? { if case .marked(let mark) = self { mark } else { nil } }
    var isUnsettled: Bool { if case .unsettled = self { true } else { false } }
}

/// Values of which a case wants a copy with one thing changed.
protocol Changeable {}
extension Changeable {
    func with<Value>(_ path: WritableKeyPath<Self, Value>, _ value: Value) -> Self {
        var copy = self
        copy[keyPath: path] = value
        return copy
    }
}
extension RenewRequest: Changeable {}
extension LockView: Changeable {}
