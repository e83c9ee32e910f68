// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// How many notices are on their way at once, and which events are one.
@Suite struct NoticeQueueTests {
    @Test func fourAreRunAHundredWaitAndTheRestIsCounted() {
        var queue = NoticeQueue<Int>()
        #expect(queue.isIdle)
        #expect((1...4).map { queue.add($0) } == Array(repeating: .begin, count: 4))
        #expect((5...104).map { queue.add($0) } == Array(repeating: .wait, count: 100))
        #expect(queue.add(105) == .drop && queue.add(106) == .drop)
        #expect(queue.takeDropped() == 2 && queue.takeDropped() == 0)
        // In their order, each in the place of one that is done.
        #expect((5...104).map { _ in queue.ended() } == (5...104).map { $0 })
        #expect(!queue.isIdle)
        #expect((1...4).map { _ in queue.ended() } == [nil, nil, nil, nil])
        #expect(queue.isIdle)
        #expect(queue.add(7) == .begin)
    }

    @Test func whatWaitsCanBeGivenUp() {
        var queue = NoticeQueue<Int>()
        for number in 1...9 { _ = queue.add(number) }
        #expect(queue.clear() == 5)
        #expect(queue.ended() == nil && !queue.isIdle)
    }

    @Test func whatIsWorthANotice() {
        let reasons = EventKind.allCases.compactMap { kind in
            NotifySettings.Reason(kind).map { "\(kind.rawValue): \($0.rawValue)" }
        }
        #expect(reasons == ["run-failed: failed", "lease-lost: lost", "ticks-missed: missed", "run-lost: lost"])
        // Who is not told of a failure is not told of that either.
        #expect(NotifySettings.Reason(.notifyFailed) == nil)
    }
}
