// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// Which jobs of a node have a loop, as transcripts and on random walks.
struct JobRosterTests {
    private static let node = NodeProfile(name: "n1")
    private static let legacy = LockLegacy(
        record: LeaseRecord(token: Bytes("token".utf8), fence: 7, timeout: .seconds(15)),
        deadline: JobMachineTests.at(9000))

    private func job(_ name: String, _ argument: String = "a", enabled: Bool = true) -> JobDefinition {
        var job = JobDefinition(name: name, command: .program(["/bin/echo", argument]))
        job.enabled = enabled
        return job
    }

    private func roster(_ jobs: JobDefinition..., invalid: Set<String> = []) -> JobRoster {
        JobRoster(jobs, invalid: invalid, on: Self.node)
    }

    @Test func aStartBeginsWhatCompetesAndWhatWasLeft() {
        var roster = roster(job("on"), job("off", enabled: false), job("left"), invalid: ["bad"])
        var gone = JobDefinition(name: "gone", command: .program(["?"]))
        gone.lock.timeout = .seconds(7)
        gone.enabled = false
        #expect(
            roster.begin(inherited: ["left": .seconds(15), "gone": .seconds(7)]) == [
                .begin(gone, nil), .begin(job("left"), nil), .showIdle("bad"), .showIdle("off"),
                .begin(job("on"), nil),
            ])
    }

    @Test func aJobThatIsAsItWasIsNotTouched() {
        var roster = roster(job("same"), job("loud"), job("gone"), job("off"))
        _ = roster.begin(inherited: [:])
        var quiet = job("same")
        #expect(
            roster.apply([quiet, job("loud", "b"), job("off", enabled: false), job("new")]) == [
                .tell("gone", .drain), .tell("loud", .replaced), .tell("off", .drain), .begin(job("new"), nil),
            ])
        quiet.description = "with words"
        #expect(
            roster.apply([quiet, job("loud", "b"), job("off", enabled: false), job("new")]) == [
                .supersede("same", quiet)
            ])
        // Now and not before it is over, the next one begins, with the lock that was left.
        #expect(roster.loopEnded("loud", leaving: Self.legacy) == .begin(job("loud", "b"), Self.legacy))
        #expect(roster.loopEnded("gone", leaving: nil) == .showIdle("gone"))
        #expect(roster.loopEnded("off", leaving: nil) == .showIdle("off"))
    }

    @Test func whatALoopWasBegunWithCounts() {
        var roster = roster(job("x", "a"))
        _ = roster.begin(inherited: [:])
        #expect(roster.apply([job("x", "b")]) == [.tell("x", .replaced)])
        // Changed back: its process is as it should be.
        #expect(roster.apply([job("x", "a")]) == [.supersede("x", job("x", "a"))])
    }

    @Test func aLockThatNobodyTakesOverIsGivenBackBeforeTheNextLoop() {
        var roster = roster(job("x", "a"))
        _ = roster.begin(inherited: [:])
        _ = roster.apply([job("x", "b")])
        _ = roster.apply([])
        #expect(roster.loopEnded("x", leaving: Self.legacy) == .giveBack("x", Self.legacy))
        // It is added again while that takes its time.
        _ = roster.apply([job("x", "c")])
        #expect(roster.loopEnded("x", leaving: nil) == .begin(job("x", "c"), nil))
    }

    @Test func theEndIsDecidedOnce() {
        var roster = roster(job("x"), job("y"))
        _ = roster.begin(inherited: [:])
        #expect(roster.end(.relieved) == [.tell("x", .relieved), .tell("y", .relieved)])
        #expect(roster.end(.drained) == nil)
        #expect(roster.apply([job("x", "b")]) == nil)
        #expect(roster.loopEnded("x", leaving: Self.legacy) == .giveBack("x", Self.legacy))
        #expect(roster.loopEnded("x", leaving: nil) == nil)
        #expect(roster.end(.relieved) == [.tell("y", .relieved)])
    }

    @Test(arguments: 0..<100)
    func oneLoopAJobAndNoneForgotten(seed: Int) throws {
        var random = SplitMix(state: UInt64(seed))
        var roster = JobRoster([], invalid: [], on: Self.node)
        var files: [JobDefinition] = []
        var loops: [String: JobDefinition] = [:]
        var toBeDone: Set<String> = []
        func follow(_ orders: [JobRoster.Order]) {
            for order in orders {
                switch order {
                case .begin(let definition, _):
                    #expect(loops[definition.name] == nil, "a second loop")
                    loops[definition.name] = definition
                case .tell(let job, _), .supersede(let job, _):
                    #expect(loops[job] != nil)
                    toBeDone.insert(job)
                case .showIdle(let job): #expect(loops[job] == nil)
                case .giveBack(let job, _): #expect(loops[job] == nil)
                }
            }
        }
        func finish(_ job: String) {
            loops[job] = nil
            toBeDone.remove(job)
            let legacy = Bool.random(using: &random) ? Self.legacy : nil
            guard let order = roster.loopEnded(job, leaving: legacy) else { return }
            follow([order])
            if case .giveBack = order { follow(roster.loopEnded(job, leaving: nil).map { [$0] } ?? []) }
        }
        follow(roster.begin(inherited: ["left": .seconds(15)]))
        toBeDone.insert("left")
        for _ in 0..<60 {
            if Bool.random(using: &random) {
                files = ["x", "y", "left"].filter { _ in Int.random(in: 0..<4, using: &random) > 0 }.map {
                    job(
                        $0, ["a", "b"].randomElement(using: &random) ?? "",
                        enabled: Int.random(in: 0..<4, using: &random) > 0)
                }
                let change = roster.apply(files)
                follow(try #require(change))
            } else if let job = toBeDone.sorted().randomElement(using: &random) {
                finish(job)
            }
        }
        while let job = toBeDone.first { finish(job) }
        // All is as the files say.
        let wanted = files.filter(\.enabled)
        #expect(loops == Dictionary(uniqueKeysWithValues: wanted.map { ($0.name, $0) }))
    }
}
