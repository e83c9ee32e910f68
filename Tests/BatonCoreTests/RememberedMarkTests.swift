// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// What a node keeps of a mark.
@Suite struct RememberedMarkTests {
    @Test func whatStandsUntilItIsCleared() throws {
        let down = Mark(kind: .heldDown, failures: 3, by: "web-1")
        let kept = try #require(RememberedMark(down, now: 1_000_000))
        #expect(kept.mark(at: .max) == down)
        #expect(RememberedMark(decoding: kept.encode()) == kept)
        #expect(String(decoding: kept.encode(), as: UTF8.self) == "down\n\n3\nweb-1\n")
    }

    @Test func whatEndsByTheClock() throws {
        let pause = Mark(kind: .paused, remaining: .seconds(10), by: "web-1")
        let kept = try #require(RememberedMark(pause, now: 5_000_000))
        #expect(RememberedMark(decoding: kept.encode()) == kept)
        #expect(kept.mark(at: 8_000_000)?.remaining == .seconds(7))
        #expect(kept.mark(at: 15_000_000) == nil)
        // Seen again, its end is not quite the same.
        let again = try #require(
            RememberedMark(Mark(kind: .paused, remaining: .seconds(7), by: "web-1"), now: 8_100_000))
        #expect(kept.isSame(as: again))
        let longer = try #require(
            RememberedMark(Mark(kind: .paused, remaining: .seconds(70), by: "web-1"), now: 8_100_000))
        #expect(!kept.isSame(as: longer))
        #expect(try !kept.isSame(as: #require(RememberedMark(Mark(kind: .paused, by: "web-1"), now: 0))))
        #expect(try !kept.isSame(as: #require(RememberedMark(Mark(kind: .heldDown, by: "web-1"), now: 0))))
    }

    @Test func whatIsOverInAMomentIsNotKept() {
        #expect(RememberedMark(Mark(kind: .coolingDown, remaining: .seconds(10)), now: 0) == nil)
        #expect(RememberedMark(Mark(kind: .runEnded, remaining: .seconds(3)), now: 0) == nil)
    }

    @Test func whatIsNone() {
        for text in ["", "\n", "down", "down\n\n0\nx", "down\nsoon\n0\nx\n", "down\n\n-1\nx\n", "\n\n0\nx\n"] {
            #expect(RememberedMark(decoding: Bytes(text.utf8)) == nil, "\(text)")
        }
        // A version to come may know more.
        let kept = RememberedMark(decoding: Bytes("frozen\n\n0\nx\n".utf8))
        #expect(kept?.mark(at: 0)?.kind == .heldDown)
    }
}
