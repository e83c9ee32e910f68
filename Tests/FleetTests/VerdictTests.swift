// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// The judge of a fleet under faults, before it is believed.
struct VerdictTests {
    /// Lines of a run, every 10 ms from one time to another.
    private func run(
        _ id: String, fence: Int, from first: Int, to last: Int, node: String = "web-1", role: String = "main",
        end: Bool = false
    ) -> String {
        let times = stride(from: first, through: last, by: 10)
        let lines = times.map { "\($0)000000 alive steady-1 \(id) \(fence) \(node) 1 \(role)\n" }
        return lines.joined() + (end ? "\(last)000000 end steady-1 \(id) \(fence) \(node) 1 \(role)\n" : "")
    }

    private func verdict(_ text: String, _ occurrences: [Occurrence] = []) -> Verdict {
        var chronicle = Chronicle(path: "")
        chronicle.read(Array(text.utf8))
        return Verdict(chronicle, occurrences)
    }

    private func freeze(_ node: String, from first: Int, to last: Int) -> Occurrence {
        let fault = FaultPlan.Fault(kind: .machineFrozen, start: .zero, length: .zero, machine: 0, choice: 0)
        return Occurrence(
            fault: fault, node: node, injected: Instant(nanoseconds: Int64(first) * 1_000_000),
            healed: Instant(nanoseconds: Int64(last) * 1_000_000))
    }

    @Test func oneAfterTheOtherIsFine() {
        let verdict = verdict(
            run("a", fence: 1, from: 0, to: 500) + run("b", fence: 2, from: 510, to: 900, node: "web-2"))
        #expect(verdict.isClean && verdict.runCount == 2)
        #expect(verdict.takeovers.map(\.length) == [.milliseconds(10)])
        #expect(verdict.takeovers.first?.to == "web-2")
        #expect(verdict.unended.map(\.id) == ["a"] && verdict.unexplained.map(\.id) == ["a"])
    }

    @Test func oneThatEndedByItselfNeedsNoExplanation() {
        let text = run("a", fence: 1, from: 0, to: 500, end: true) + run("b", fence: 2, from: 510, to: 900)
        #expect(verdict(text).unended.isEmpty)
    }

    @Test func aMillisecondTooMuchIsAnOverlap() {
        let verdict = verdict(run("a", fence: 1, from: 0, to: 500) + run("b", fence: 2, from: 499, to: 900))
        #expect(verdict.overlaps.map(\.length) == [.milliseconds(1)])
        #expect(verdict.orphans.isEmpty && verdict.thaws.isEmpty)
    }

    @Test func aLineAfterALongSilenceIsAnOverlap() {
        let text =
            run("a", fence: 1, from: 0, to: 500) + run("b", fence: 2, from: 4000, to: 9000)
            + run("a", fence: 1, from: 8000, to: 8000)
        #expect(verdict(text).overlaps.count == 1)
    }

    @Test func descendantsThatLiveOnAreOrphans() {
        let text =
            run("a", fence: 1, from: 0, to: 500) + run("a", fence: 1, from: 0, to: 540, role: "daemon")
            + run("b", fence: 2, from: 510, to: 900)
        #expect(verdict(text).orphans.count == 1)
        #expect(verdict(text).overlaps.isEmpty)
    }

    @Test func theInstantAfterAThawIsShownApart() {
        let text =
            run("a", fence: 1, from: 0, to: 500) + run("b", fence: 2, from: 4000, to: 9000, node: "web-2")
            + run("a", fence: 1, from: 8001, to: 8021)
        let thawed = verdict(text, [freeze("web-1", from: 505, to: 8000)])
        #expect(thawed.isClean && thawed.thaws.map(\.length) == [.milliseconds(21)])
        #expect(verdict(text, [freeze("web-2", from: 505, to: 8000)]).overlaps.count == 1, "another machine's")
        let late = text + run("a", fence: 1, from: 8021, to: 8201)
        #expect(verdict(late, [freeze("web-1", from: 505, to: 8000)]).overlaps.count == 1, "no instant any more")
    }

    @Test func aFenceThatDoesNotGrowIsSeen() {
        #expect(
            verdict(run("a", fence: 2, from: 0, to: 500) + run("b", fence: 2, from: 510, to: 900)).fences.count == 1)
    }
}
