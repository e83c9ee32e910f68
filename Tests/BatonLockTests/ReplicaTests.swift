// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// Rule S11: a yes that the replicas might not know is none. With a real primary and two replicas.
@Suite(.timeLimit(.minutes(2)))
struct ReplicaTests {
    private static func store(_ path: String, replicas: Int = 2) -> ValkeyStore.Configuration {
        var configuration = ValkeyStore.Configuration(address: .unixSocket(path: path)).patient
        configuration.replicas = replicas
        return configuration
    }

    private let request = Duration.milliseconds(300)

    @Test
    func aYesIsOneOnlyWithAllReplicas() async throws {
        try await withReplicas { replicas in
            try await withValkeyStore(Self.store(replicas.primary.socket)) { store in
                try await store.settle()
                // Each way to be granted a lock, and to keep it.
                let grant: @Sendable (String) async throws -> Void = { token in
                    _ = try await store.acquire(.daemon(token), timeout: request)
                }
                let plain: @Sendable (String) async throws -> Void = { token in
                    _ = try await store.acquire(.plain(token, on: reportKeys), timeout: request)
                }
                let renewal: @Sendable (String) async throws -> Void = { token in
                    let notAfter = try store.serverTime(in: 10)
                    _ = try await store.renew(.daemon(token, notAfter: notAfter), timeout: request)
                }
                try await grant("a")
                try await plain("b")
                try await renewal("a")
                for replica in replicas.servers.dropFirst() {
                    #expect(try replica.ask("GET", "{test}:report:lock") == .string(bytes("a")))
                    #expect(try replica.ask("GET", report) == .string(bytes("b")))
                }
                #expect(store.warnings.isEmpty)

                replicas.servers[2].freeze()
                for (what, ask) in [("a grant", grant), ("a renewal", renewal)] {
                    let error = await #expect(throws: LockError.self) { try await ask("a") }
                    #expect(error?.code == .unknownOutcome, "\(what)")
                    #expect(error?.message.contains("only 1 of 2 replicas") == true, "\(what): \(error?.message ?? "")")
                }
                try replicas.primary.ask("DEL", report)
                #expect(await code { try await plain("c") } == .unknownOutcome)
                // Also when the server has to be told the script's text.
                try replicas.primary.ask("SCRIPT", "FLUSH")
                #expect(await code { try await renewal("a") } == .unknownOutcome)
                #expect(store.warnings.contains { $0.hasPrefix("1 of the store's 2 replicas confirm") })

                replicas.servers[2].thaw()
                try await replicas.primary.waitForReplicas(2)
                try await renewal("a")
                #expect(store.warnings.isEmpty)
            }
        }
    }

    @Test
    func aNoNeedsNobodysConfirmation() async throws {
        try await withReplicas { replicas in
            try await withValkeyStore(Self.store(replicas.primary.socket)) { store in
                try await store.settle()
                #expect(try await store.acquire(.daemon("a")).grant != nil)
                for replica in replicas.servers.dropFirst() { replica.freeze() }
                let start = ContinuousClock.now
                #expect(try await store.acquire(.daemon("b")).heldBy != nil)
                // Nor does anybody who looks, or releases, wait for those who do.
                #expect(try await store.look().token == bytes("a"))
                #expect(try await store.release("b") == false)
                #expect(ContinuousClock.now - start < patience / 4)
            }
        }
    }

    @Test
    func withoutAReplicaNothingIsGrantedAndWhatIsHeldRunsOut() async throws {
        try await withReplicas { replicas in
            try await withValkeyStore(Self.store(replicas.primary.socket)) { store in
                let timeout = Duration.seconds(2)
                let lock = try Lock(store, name: report, timeout: timeout)
                let (frozenAt, cancelledAt) = (Shared(ContinuousClock.now), Shared(ContinuousClock.now))
                let ended = await code {
                    try await lock.withLock { _ in
                        // Renewals go well as long as all replicas are there.
                        try await Task.sleep(for: timeout * 1.5)
                        replicas.servers[1].freeze()
                        frozenAt.change { $0 = .now }
                        try? await Task.sleep(for: .seconds(60))
                        cancelledAt.change { $0 = .now }
                    }
                }
                #expect(ended == .notOwned || ended == nil)
                #expect(cancelledAt.current - frozenAt.current < timeout)

                let other = try Lock(store, name: "other", timeout: timeout)
                #expect(await code { try await other.acquire(.atMost(.seconds(1))) } == .unreachable)
                #expect(try await store.look(LockKeys(name: bytes("other"))).token == nil, "it was taken back")
                // Who waits for long enough has it in the end.
                async let isGranted = other.acquire(.atMost(.seconds(20)))
                try await eventually("it was asked for") {
                    try await store.look(LockKeys(name: bytes("other"))).token != nil
                }
                replicas.servers[1].thaw()
                #expect(try await isGranted)
                try await other.release()
            }
        }
    }

    /// The primary is frozen, a replica promoted, and the old primary thawed: who was connected to it still is.
    private func splitBrain(
        replicas count: Int,
        _ body: (_ old: ValkeyStore, _ new: ValkeyStore, _ failOver: @escaping @Sendable () async throws -> Void)
            async throws ->
            Void
    ) async throws {
        try await withReplicas { replicas in
            let old = try replicas.lead("old", to: replicas.primary)
            let new = try replicas.lead("new", to: replicas.primary)
            try await withValkeyStore(Self.store(old, replicas: count)) { old in
                // Promoted, the new primary has one replica less.
                try await withValkeyStore(Self.store(new, replicas: min(count, 1))) { new in
                    _ = try await (old.look(), new.look())
                    try await body(old, new) {
                        replicas.primary.freeze()
                        try await replicas.promote(replicas.servers[1])
                        try replicas.lead("new", to: replicas.servers[1])
                        new.giveUpConnection(because: "the operator moved it")
                        replicas.primary.thaw()
                        #expect(try replicas.primary.ask("PING") == .string(bytes("PONG")))
                    }
                }
            }
        }
    }

    @Test(arguments: [false, true])
    func anOldPrimaryThatStillAnswersMakesNoSecondHolder(isGuarded: Bool) async throws {
        try await splitBrain(replicas: 2) { old, new, failOver in
            let timeout = Duration.seconds(2)
            func lock(_ store: ValkeyStore) throws -> Lock {
                try Lock(store, name: report, timeout: timeout, guarded: isGuarded, maxLockTimeout: timeout)
            }
            let (first, second, late) = (try lock(old), try lock(new), try lock(old))
            let (end, fence) = (Shared<ContinuousClock.Instant?>(nil), Shared<Int64>(0))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = await code {
                        try await first.withLock { lease in
                            fence.change { $0 = lease.fence ?? 0 }
                            try? await Task.sleep(for: .seconds(60))
                            end.change { $0 = .now }
                        }
                    }
                }
                try await eventually("the first one has it") { fence.current != 0 }
                try await Task.sleep(for: timeout)
                try await failOver()
                // Another client of the old primary waits there: the lock runs out, and is granted to nobody.
                group.addTask {
                    let isGranted = (try? await late.acquire(.atMost(timeout * 4))) ?? false
                    #expect(!isGranted)
                }
                try await second.acquire(.atMost(.seconds(30)))
                let granted = ContinuousClock.now
                let ended = try #require(end.current, "the first one still has it")
                #expect(ended < granted)
                #expect(try #require(second.lease?.fence) > fence.current)
                #expect(try await second.owned())
                try await second.release()
                try await group.waitForAll()
            }
        }
    }

    @Test
    func withoutReplicasOnlyTheFenceIsSafeAndThatIsSaid() async throws {
        try await splitBrain(replicas: 0) { old, new, failOver in
            for store in [old, new] {
                #expect(store.warnings.contains { $0.contains("only the fence is safe") }, "\(store.warnings)")
            }
            let timeout = Duration.seconds(2)
            let first = try Lock(old, name: report, timeout: timeout)
            let second = try Lock(new, name: report, timeout: timeout)
            try await first.withLock { lease in
                try await Task.sleep(for: timeout)
                try await failOver()
                // This is what the other tests of failovers would see.
                try await second.acquire(.atMost(.seconds(30)))
                #expect(try await first.owned())
                #expect(try await second.owned())
                #expect(try #require(second.lease?.fence) > (try #require(lease.fence)))
                try await second.release()
            }
        }
    }

    @Test
    func aUserWithoutWAITIsToldAtOnce() async throws {
        try await withReplicas(1) { replicas in
            try replicas.primary.ask("ACL", "SETUSER", "baton", "on", ">pw", "~*", "&*", "+@all", "-wait")
            var configuration = Self.store(replicas.primary.socket, replicas: 1)
            (configuration.username, configuration.password) = ("baton", "pw")
            try await withValkeyStore(configuration) { store in
                let error = await #expect(throws: LockError.self) { _ = try await store.look() }
                #expect(
                    error?.code == .notPermitted && error?.message.contains("+wait") == true,
                    "\(String(describing: error))")
            }
        }
    }

    @Test
    func manyTasksOnOneConnectionDoNotWaitForEachOther() async throws {
        try await withReplicas { replicas in
            try await withValkeyStore(Self.store(replicas.primary.socket)) { store in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<64 {
                        group.addTask {
                            let lock = try Lock(store, name: "lock \(number)", timeout: .seconds(20))
                            for _ in 0..<10 { try await lock.withLock(.atMost(.seconds(10))) { _ in } }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try replicas.primary.ask("DBSIZE") == .integer(64), "the fences")
            }
        }
    }

    @Test
    func whatIsSaidOfReplicasFitsTheSetting() async throws {
        try await withReplicas(2) { replicas in
            for (waitedFor, word) in [(0, "store.replicas is 0"), (1, "store.replicas is 1"), (2, nil)]
                as [(Int, String?)]
            {
                try await withValkeyStore(Self.store(replicas.primary.socket, replicas: waitedFor)) { store in
                    _ = try await store.look()
                    #expect(store.warnings.count == (word == nil ? 0 : 1), "\(store.warnings)")
                    if let word { #expect(store.warnings[0].contains(word), "\(store.warnings)") }
                }
            }
            // Also before anything is granted: they are not all there.
            try await withValkeyStore(Self.store(replicas.primary.socket, replicas: 3)) { store in
                _ = try await store.look()
                #expect(
                    store.warnings == [
                        "2 of the store's 3 replicas confirm: nothing is granted or renewed before all of them do"
                    ])
            }
            // One that had replicas may fail over to one of them.
            for replica in replicas.servers.dropFirst() { replica.end() }
            try await eventually("they are gone") {
                try replicas.primary.number("WAIT", "0", "1") == 0
            }
            try await withValkeyStore(Self.store(replicas.primary.socket, replicas: 0)) { store in
                _ = try await store.look()
                #expect(store.warnings.first?.hasPrefix("the store has had replicas") == true, "\(store.warnings)")
            }
        }
    }
}
