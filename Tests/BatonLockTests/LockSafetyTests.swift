// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Foundation
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// Where the seed is unsafe, and other suites do not say already that this lock is not: Tests/README.md has all points.
@Suite(.timeLimit(.minutes(2)))
struct LockSafetyTests {
    // MARK: Releases

    @Test func aReleaseHasADeadlineOfItsOwn() async throws {
        try await withServer { server in
            try await withValkeyStore(server.tcp) { store in
                // Of ten minutes, and the store is a patient one: neither is what a release waits for.
                let lock = try Lock(store, name: report, timeout: .seconds(600))
                #expect(try await lock.acquire())
                server.freeze()
                defer { server.thaw() }
                let start = ContinuousClock.now
                #expect(await code { try await lock.release() } == .unknownOutcome)
                #expect(.now - start < .seconds(6))
                server.thaw()
                // It may have been carried out when the server went on, or not; once more makes it certain.
                let again = await code { try await lock.release() }
                #expect(again == nil || again == .notOwned)
                #expect(try await store.token() == nil && lock.lease == nil)
            }
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func theRenewalHasEndedBeforeTheRelease(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            let sent = Shared<[(FaultyStore.Operation, ContinuousClock.Instant)]>([])
            store.onRequest { operation in sent.change { $0.append((operation, .now)) } }
            let slowness = Duration.milliseconds(250)
            store.always(.renew, .slow(slowness))
            let lock = try Lock(store, name: report, timeout: .seconds(3))
            try await lock.withLock { _ in
                try await eventually("a renewal is on its way") { store.calls(.renew) > 0 }
            }
            let requests = sent.current.filter { $0.0 == .renew || $0.0 == .release }
            #expect(requests.map(\.0) == [.renew, .release])
            #expect(requests[1].1 - requests[0].1 >= slowness)
        }
    }

    // MARK: Servers that say why not

    /// Each refuses writes in its own way, and says so in a word that people can look up.
    enum Refusal: String, CaseIterable {
        case withoutMemory = "OOM"
        case withoutReplicas = "NOREPLICAS"
        case withoutSnapshots = "MISCONF"

        fileprivate func begin(at server: TestServer) async throws {
            switch self {
            case .withoutMemory: try server.ask("CONFIG", "SET", "maxmemory", "1")
            case .withoutReplicas: try server.ask("CONFIG", "SET", "min-replicas-to-write", "1")
            case .withoutSnapshots:
                // A folder is in the snapshot's place.
                try FileManager.default.createDirectory(
                    atPath: server.folder + "/blocked", withIntermediateDirectories: false)
                try server.ask("CONFIG", "SET", "save", "3600 1")
                try await eventually("a snapshot fails") {
                    try server.ask("BGSAVE")
                    return try server.ask("INFO", "persistence").text?.contains("bgsave_status:err") == true
                }
            }
        }

        fileprivate func end(at server: TestServer) throws {
            switch self {
            case .withoutMemory: try server.ask("CONFIG", "SET", "maxmemory", "0")
            case .withoutReplicas: try server.ask("CONFIG", "SET", "min-replicas-to-write", "0")
            case .withoutSnapshots: try server.ask("CONFIG", "SET", "save", "")
            }
        }
    }

    @Test(arguments: Refusal.allCases)
    func aServerThatRefusesIsAnErrorThatSaysWhy(refusal: Refusal) async throws {
        try await withServer(.init(arguments: ["--dbfilename", "blocked"])) { server in
            try await withValkeyStore(server.tcp) { store in
                let held = try Lock(store, name: "held", timeout: .seconds(60))
                #expect(try await held.acquire())
                try await refusal.begin(at: server)
                func refused(_ body: () async throws -> Void) async {
                    let error = await #expect(throws: LockError.self) { try await body() }
                    #expect(error?.code == .refused && error?.message.contains(refusal.rawValue) == true, "\(refusal)")
                    #expect([report, "held"].contains(error?.lock))
                }
                // At once, and not only when the wait is over: it will not pass by itself.
                let lock = try Lock(store, name: report, timeout: leaseLength)
                await refused { try await lock.acquire(.forever) }
                await refused { try await lock.acquire(.forever, token: bytes("mine")) }
                // What a full server still does, and the others do not.
                if refusal == .withoutMemory {
                    #expect(try await held.extend(.seconds(1)))
                } else {
                    await refused { try await held.extend(.seconds(1)) }
                    await refused { try await held.release() }
                    #expect(held.lease != nil, "it was not given back")
                }
                #expect(try await held.owned())
                try refusal.end(at: server)
                try await held.release()
                #expect(try await lock.acquire(.no))
                try await lock.release()
            }
        }
    }

    // MARK: Time

    @Test func onlyRelativeTimesAreSent() async throws {
        try await withServer { server in
            try await withValkeyStore(server.tcp) { store in
                let monitor = try RawConnection(socket: server.socket)
                _ = try monitor.ask("MONITOR")
                for guarded in [false, true] {
                    let lock = try Lock(
                        store, name: "lock\(guarded)", timeout: .seconds(1), guarded: guarded,
                        maxLockTimeout: .seconds(1))
                    #expect(try await lock.acquire(.atMost(.seconds(20))))
                    #expect(try await lock.extend(.milliseconds(100), replaceTTL: true))
                    #expect(try await lock.reacquire())
                    try await lock.release()
                    if !guarded { #expect(try await lock.acquire(.no, token: bytes("mine"))) }
                }
                try server.ask("ECHO", "that is all")
                var words = Set<String>()
                while let line = try monitor.read().text, !line.contains("that is all") {
                    // A command as it is shown: every argument in quotes.
                    words.formUnion(line.uppercased().split(separator: "\"").map(String.init))
                }
                let relative = words.intersection(["SET", "PX", "PEXPIRE"])
                let absolute = words.intersection(["PXAT", "EXAT", "EXPIREAT", "PEXPIREAT"])
                #expect(relative.count == 3 && absolute.isEmpty)
            }
        }
    }
}
