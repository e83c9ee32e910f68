// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// Of several nodes that ask for the same, the one whose request was carried out tells of it, once.
@Suite struct OmissionNewsTests {
    private static let before = entry(10)
    private static let after = entry(13)

    private static func entry(_ tick: Int64) -> LedgerEntry {
        LedgerEntry(tick: tick, attempt: 0, fence: 7, changed: 1)
    }

    private static func missed(_ first: Int64, _ last: Int64) -> TickPlan.Omission {
        .missed(.init(first: first, last: last, count: Int(last - first) + 1))
    }

    private static func line(_ omission: TickPlan.Omission, by node: String) -> Bytes {
        let line = HistoryLine(omission, notedBy: node, time: { "\($0)" })
        return Bytes("\(line.tick)-\(line.lastTick ?? "") by \(line.notedBy ?? "")".utf8)
    }

    private func asked(by node: String, _ omissions: [TickPlan.Omission] = [missed(11, 13)]) -> OmissionNews {
        var news = OmissionNews()
        news.asked(omissions, omissions.map { Self.line($0, by: node) }, expecting: Self.before.key)
        return news
    }

    @Test func theNodeWhoseLineItIsTellsAndNoOther() {
        let history = [Self.line(Self.missed(11, 13), by: "a"), Bytes("older".utf8)]
        var (a, b) = (asked(by: "a"), asked(by: "b"))
        #expect(a.isDecided(Self.after) && b.isDecided(Self.after))
        #expect(a.found(history, Self.after) == [Self.missed(11, 13)])
        #expect(b.found(history, Self.after) == [])
        // Once.
        #expect(!a.isDecided(Self.after) && !b.isDecided(Self.after))
        #expect(a.found(history, Self.after) == [])
    }

    @Test func anAnswerThatWasLostIsMadeUpForByTheNextOne() {
        var news = asked(by: "a")
        // Asked again, since nobody answered; the first one was carried out.
        news.asked([Self.missed(11, 13)], [Self.line(Self.missed(11, 13), by: "a")], expecting: Self.before.key)
        news.asked([Self.missed(11, 14)], [Self.line(Self.missed(11, 14), by: "a")], expecting: Self.before.key)
        #expect(news.found([Self.line(Self.missed(11, 13), by: "a")], Self.after) == [Self.missed(11, 13)])
    }

    @Test func nothingIsToldBeforeTheLedgerIsAnother() {
        var news = asked(by: "a")
        #expect(!news.isDecided(Self.before))
        #expect(news.found([], Self.before) == [])
        // It was not forgotten.
        #expect(news.isDecided(Self.after))
        #expect(news.found([Self.line(Self.missed(11, 13), by: "a")], Self.after) == [Self.missed(11, 13)])
    }

    @Test func aGrantTellsOfItsOwnClaimAlone() {
        var news = asked(by: "a", [Self.missed(11, 12)])
        let lost = TickPlan.Omission.lost(Self.before)
        let lines = [Self.line(lost, by: "a"), Self.line(Self.missed(11, 13), by: "a")]
        news.asked([lost, Self.missed(11, 13)], lines, expecting: Self.before.key)
        #expect(news.granted(lines) == [lost, Self.missed(11, 13)])
        #expect(news.granted(lines) == [])
    }

    @Test func aStoreThatNeverAnswersDoesNotFillTheMemory() {
        var news = OmissionNews()
        for tick in 1...1000 as ClosedRange<Int64> {
            news.asked([Self.missed(11, tick)], [Self.line(Self.missed(11, tick), by: "a")], expecting: Self.before.key)
        }
        let all = (1...1000 as ClosedRange<Int64>).map { Self.line(Self.missed(11, $0), by: "a") }
        #expect(news.found(all, Self.after).count == 32)
    }
}
