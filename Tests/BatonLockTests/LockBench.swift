// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Synchronization
import Testing

@testable import BatonTestSupport

extension StoreBackend {
    /// One server and one file: what ``Lock`` is tried on.
    static let forLocks: [StoreBackend] = all.filter { ["valkey over TCP", "an SQLite file"].contains($0.name) }
}

/// The name, and so the key, of the lock under test.
let report = "report"
let reportKeys = LockKeys(name: bytes(report))

/// The code of the `LockError` that `body` ends with; nil when it ends with none.
func code<Value>(_ body: () async throws -> Value) async -> LockError.Code? {
    do {
        _ = try await body()
        return nil
    } catch {
        return (error as? LockError)?.code
    }
}

/// Whether `body` ends with a `CancellationError`.
func isCancelled(_ body: () async throws -> Void) async -> Bool {
    do {
        try await body()
        return false
    } catch {
        return error is CancellationError
    }
}

extension LockStore {
    func token() async throws -> Bytes? { try await look(reportKeys).token }
    func timeToLive() async throws -> Duration? { try await look(reportKeys).timeToLive }

    /// Another client's lock takes the place of whatever is there.
    func overwrite(with thief: String, timeout: Duration? = leaseLength) async throws {
        if let token = try await token() {
            let release = ReleaseRequest(keys: reportKeys, token: token, guarding: false)
            #expect(try await self.release(release, timeout: patience))
        }
        #expect(try await acquire(.plain(thief, on: reportKeys, timeout: timeout)).grant != nil)
    }

    /// A client that says nothing to anybody gives its lock back.
    func releaseQuietly(_ subject: StoreUnderTest) async throws { try await subject.deleteLock(reportKeys) }
}

/// Something that several tasks look at and change.
final class Shared<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
    var current: Value { value.withLock { $0 } }
    func change(_ body: (inout Value) -> Void) { value.withLock { body(&$0) } }
}

struct BodyFailed: Error, Equatable {}
