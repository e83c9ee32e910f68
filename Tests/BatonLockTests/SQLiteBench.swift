// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import BatonSystem
import Glibc
import Synchronization

/// A folder of its own with one database in it, and the machine around it: clock and boot id.
final class SQLiteBench: Sendable {
    let folder: String
    var path: String { folder + "/baton.db" }
    private let time = Mutex(Instant(nanoseconds: 1_000_000_000_000))
    private let wall = Mutex<Int64>(1_790_000_000_000_000)

    /// - Parameter inMemory: where a disk is not to have a say, if there is such a place.
    init(inMemory: Bool = false) {
        let place = inMemory && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        folder = "\(place)/baton-sqlite-\(UInt64.random(in: .min ... .max))"
        mkdir(folder, 0o700)
    }

    deinit {
        deleteFiles()
        rmdir(folder)
    }

    func deleteFiles() {
        for name in ["baton.db", "baton.db-wal", "baton.db-shm", "baton.db.announce", "copy.db"] {
            unlink("\(folder)/\(name)")
        }
    }

    func advance(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
    func setWall(_ microseconds: Int64) { wall.withLock { $0 = microseconds } }
    var microseconds: Int64 { time.withLock { $0.nanoseconds / 1000 } }
    var wallMicroseconds: Int64 { wall.withLock { $0 } }

    /// A store as another process would open it.
    func store(boot: String? = "boot-1") -> SQLiteStore {
        SQLiteStore(
            path: path, maxLockTimeout: .seconds(30),
            surroundings: Surroundings(
                bootID: boot, now: { self.time.withLock { $0 } }, wallMicroseconds: { self.wall.withLock { $0 } }))
    }
}

let sqliteKeys = LockKeys(prefix: "baton", job: "report")

extension AcquireRequest {
    /// What a daemon sends.
    static func guarded(
        _ token: String, nonce: Bytes? = nil, claim: Bytes? = nil, timeout: Duration = .seconds(15),
        keys: LockKeys = sqliteKeys
    ) -> AcquireRequest {
        var request = AcquireRequest(keys: keys, token: Bytes(token.utf8), tokenIsFresh: true, timeout: timeout)
        request.guarding = Guarding(nonce: nonce, claim: claim, maxLockTimeout: .seconds(30))
        request.fence = FenceRequest()
        request.heedsMarks = true
        request.holder = Bytes("record of \(token)".utf8)
        return request
    }

    /// What the library sends.
    static func library(_ token: String, timeout: Duration? = .seconds(15), fresh: Bool = true) -> AcquireRequest {
        AcquireRequest(keys: sqliteKeys, token: Bytes(token.utf8), tokenIsFresh: fresh, timeout: timeout)
    }
}

extension RenewRequest {
    static func guarded(
        _ token: String, _ change: Change = .reset(.seconds(15)), notAfter: Int64? = nil, keys: LockKeys = sqliteKeys
    ) -> RenewRequest {
        var request = RenewRequest(keys: keys, token: Bytes(token.utf8), change: change)
        request.guarding = AcquireRequest.Guarding(maxLockTimeout: .seconds(30))
        request.notAfter = notAfter
        return request
    }
}

extension SQLiteStore {
    func acquire(_ request: AcquireRequest) async throws -> AcquireReply {
        try await acquire(request, timeout: .seconds(5)).reply
    }

    func renew(_ request: RenewRequest) async throws -> RenewReply {
        try await renew(request, timeout: .seconds(5)).reply
    }

    func giveBack(_ token: String, mark: Mark? = nil, guarding: Bool = true) async throws -> Bool {
        try await release(
            ReleaseRequest(keys: sqliteKeys, token: Bytes(token.utf8), mark: mark, guarding: guarding),
            timeout: .seconds(5))
    }

    func lookAround() async throws -> LockView { try await look(at: sqliteKeys, timeout: .seconds(5)) }

    /// Presents the nonce at once, as if it had been waited for.
    func settleNow() async throws {
        guard case .unsettled(let nonce, _) = try await acquire(.guarded("settling")) else { return }
        _ = try await acquire(.guarded("settling", nonce: nonce))
        _ = try await giveBack("settling")
    }
}

extension AcquireReply {
    var fence: Int64? {
        guard case .granted(let grant) = self else { return nil }
        return grant.fence
    }

    var isGranted: Bool {
        guard case .granted = self else { return false }
        return true
    }

    var sighting: Sighting? {
        switch self {
        case .held(let sighting), .orphaned(let sighting): return sighting
        default: return nil
        }
    }
}
