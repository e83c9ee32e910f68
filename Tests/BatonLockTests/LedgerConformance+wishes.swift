// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Testing

@testable import BatonTestSupport

/// What operators ask for.
extension LedgerConformance {
    @Test(arguments: StoreBackend.all)
    func aRunThatIsAskedForIsClaimedOnce(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let opened = try await subject.open()
            let tick = try #require(opened.entry).tick
            let asked = try await store.ask("first", by: "ana")
            #expect(asked.by == "ana")
            #expect(try await store.ledger() == LedgerView(entry: opened.entry, asked: asked))
            // One at a time; and the answer may have been lost.
            #expect(try await store.ask("second", by: "ben") == asked)
            let view = try await store.ledger()
            for wrong in [
                LedgerClaim(after: view, tick: tick, manual: asked.id + 1),
                LedgerClaim(after: view, tick: tick + 1, manual: asked.id),
                LedgerClaim(after: view, tick: tick, attempt: 2, manual: asked.id),
                LedgerClaim(after: view, tick: tick),
            ] {
                #expect(try await store.acquire(.claiming("x", wrong)) == .ledger(view), "\(wrong)")
            }
            let run = try await subject.claim("a", LedgerClaim(after: view, tick: tick, manual: asked.id))
            #expect(run.tick == tick && run.manual == asked.id)
            #expect(try await store.ledger().asked == nil)
            // The same call, whose answer was lost, wants no second run. Another one does.
            #expect(try await store.ask("first", by: "ana") == asked)
            #expect(try await store.ledger().asked == nil)
            let next = try await store.ask("third")
            #expect(next.id > asked.id)
            #expect(try await store.ledger().asked == next)
            // Another attempt at the first is not the second.
            #expect(try await store.end("a", run, "failed"))
            let failed = try await store.ledger()
            let retry = LedgerClaim(after: failed, tick: tick, attempt: 2, manual: asked.id)
            _ = try await subject.claim("b", retry)
            #expect(try await store.ledger().asked == next)
            #expect(try await store.release("b"))
            // Nor does a tick take it away.
            _ = try await subject.claim("c", LedgerClaim(after: try await store.ledger(), tick: tick + 1))
            #expect(try await store.ledger().asked == next)
        }
    }

    /// In an older copy a wish may stand that was granted since. Its run has a larger fence, and so have all after it.
    @Test(arguments: StoreBackend.all)
    func aWishIsToldFromOneThatWasGranted(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            var run = try await subject.run()
            // The holder knows of a later run than the store does, or who had the lock before.
            for isHolder in [true, false] {
                let asked = try await store.ask("older \(isHolder)")
                #expect(asked.id > run.fence)
                #expect(try await store.ledger().asked == asked)
                run = run.with(\.tick, run.tick + 1).with(\.fence, asked.id + 5)
                if isHolder {
                    let renewal = RenewRequest.daemon("a", notAfter: nil).with(\.ledger, run)
                    #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
                } else {
                    #expect(try await store.end("a", run))
                }
                #expect(try await store.ledger().entry?.fence == run.fence)
                #expect(try await store.ledger().asked == nil)
            }
            // Also when the clock is behind all fences.
            let ahead = SettleRequest(keys: .report, guarding: nil, fence: run.fence + 60_000_000)
            _ = try await store.settle(ahead, timeout: patience)
            let asked = try await store.ask("newer")
            #expect(asked.id == run.fence + 60_000_001)
            let view = try await store.ledger()
            #expect(view.asked == asked)
            let granted = try await subject.claim("b", LedgerClaim(after: view, tick: run.tick, manual: asked.id))
            #expect(granted.fence > asked.id)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aRunMayBeAskedForBeforeTheLedgerIsOpen(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let asked = try await store.ask("first")
            #expect(try await store.ledger() == LedgerView(asked: asked))
            try await store.settle()
            let view = try await store.settleTicks()
            #expect(view.asked == asked)
            let tick = try #require(view.entry).tick
            _ = try await subject.claim("a", LedgerClaim(after: view, tick: tick, manual: asked.id))
        }
    }

    @Test(arguments: StoreBackend.all)
    func askingIsAnnounced(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            _ = try await subject.open()
            try await store.withAnnouncements(of: .report) { bell in
                await bell.wait(until: BootClock.now() + .milliseconds(100))
                let limit = BootClock.now() + .seconds(5)
                async let waiting: Void = bell.wait(until: limit)
                _ = try await store.ask("first")
                await waiting
                #expect(BootClock.now() < limit, "no ring")
            }
        }
    }
}
