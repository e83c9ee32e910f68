// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

struct DormantJobsTests {
    private var jobs = DormantJobs()

    private mutating func woken(at time: Int64?) -> [String] { jobs.wake(at: time) }
    private mutating func wake(_ job: String) -> Bool { jobs.wake(job) }
    private mutating func passedOver() -> [String] { jobs.passOver() }

    @Test mutating func aJobThatComesIsLookedAtAndThenSleepsUntilItsTime() {
        jobs.add("a", isAwake: false)
        #expect(jobs.isDormant("a") && !jobs.hasSlept("a"))
        // The store's time need not be known for that.
        #expect(woken(at: nil) == ["a"])
        #expect(woken(at: nil) == [])
        jobs.slept("a", until: 100, rings: 0)
        #expect(jobs.isDormant("a") && jobs.hasSlept("a") && jobs.nextWake == 100)
        #expect(woken(at: nil) == [])
        #expect(woken(at: 99) == [])
        #expect(woken(at: 100) == ["a"])
        #expect(jobs.nextWake == nil && !jobs.isDormant("a"))
    }

    @Test mutating func whatIsAnnouncedWakesIt() {
        jobs.add("a", isAwake: true)
        #expect(woken(at: 0) == [])
        jobs.slept("a", until: .max, rings: 0)
        #expect(jobs.nextWake == nil && woken(at: .max) == [])
        jobs.rang("a")
        jobs.rang("a")
        #expect(woken(at: 0) == ["a"])
        // What was announced while it looked, it may not have seen.
        #expect(jobs.rings(of: "a") == 2)
        jobs.rang("a")
        jobs.slept("a", until: 100, rings: 2)
        #expect(woken(at: 0) == ["a"])
        jobs.slept("a", until: 100, rings: 3)
        #expect(woken(at: 0) == [])
        // Rung and due at once: it is woken once.
        jobs.rang("a")
        #expect(woken(at: 100) == ["a"])
        #expect(woken(at: 200) == [])
    }

    @Test mutating func whoCannotLookIsPassedOverOnceForEachTime() {
        jobs.add("a", isAwake: false)
        jobs.add("b", isAwake: false)
        #expect(passedOver() == ["a", "b"])
        #expect(passedOver() == [])
        jobs.rang("a")
        #expect(passedOver() == ["a"])
        // They look as soon as they can.
        #expect(woken(at: 0) == ["a", "b"])
        jobs.slept("a", until: 100, rings: 1)
        jobs.slept("b", until: .max, rings: 0)
        #expect(passedOver() == [])
        // It may have begun to look before that.
        jobs.rang("b")
        _ = wake("b")
        #expect(passedOver() == [])
        jobs.slept("b", until: .max, rings: 0)
        #expect(passedOver() == ["b"])
    }

    @Test mutating func notAllLookAtOnce() {
        let names = (0..<100).map { "job\($0)" }
        for name in names { jobs.add(name, isAwake: false) }
        let first = woken(at: 0)
        #expect(first == Array(names.prefix(DormantJobs.mostLooking)))
        #expect(woken(at: 0) == [])
        // One that has found out makes room for another, and so does one that found something to do, and one that is gone.
        jobs.slept("job0", until: 50, rings: 0)
        #expect(woken(at: 0) == ["job32"])
        jobs.looked("job1")
        #expect(woken(at: 0) == ["job33"])
        jobs.remove("job2")
        jobs.remove("job34")
        #expect(woken(at: 0) == ["job35"])
        // Who is due does not wait for room, not even when it waits for room as well.
        jobs.rang("job0")
        jobs.slept("job1", until: 60, rings: 7)
        #expect(woken(at: 49) == [])
        #expect(woken(at: 50) == ["job0"])
        #expect(woken(at: 60) == ["job1"])
    }

    @Test mutating func whoIsWantedIsWokenOnce() {
        jobs.add("a", isAwake: false)
        #expect(wake("a"))
        #expect(!wake("a") && !wake("unknown"))
        #expect(woken(at: 0) == [])
        jobs.slept("a", until: 10, rings: 0)
        #expect(wake("a"))
        #expect(jobs.nextWake == nil)
        // Gone, and there again, before its loop is over.
        jobs.remove("a")
        jobs.slept("a", until: 10, rings: 0)
        #expect(jobs.nextWake == nil && !jobs.isDormant("a"))
        jobs.add("a", isAwake: false)
        #expect(woken(at: 0) == ["a"])
    }

    /// Against a plain account of what each job is to do.
    @Test(arguments: 0..<100)
    func nobodyIsForgottenOrWokenTwice(seed: Int) {
        var random = SplitMix(state: UInt64(seed))
        var jobs = DormantJobs()
        var awake: [String: Int] = [:]
        var asleep: [String: (until: Int64, isRung: Bool)] = [:]
        var time: Int64 = 0
        for _ in 0..<600 {
            let job = "job\(Int.random(in: 0..<80, using: &random))"
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where awake[job] == nil && asleep[job] == nil:
                jobs.add(job, isAwake: false)
                asleep[job] = (.max, true)
            case 1:
                if let rings = awake.removeValue(forKey: job) {
                    let until = Bool.random(using: &random) ? Int64.max : time + .random(in: 0...50, using: &random)
                    asleep[job] = (until, jobs.rings(of: job) != rings)
                    jobs.slept(job, until: until, rings: rings)
                }
            case 2:
                jobs.rang(job)
                asleep[job]?.isRung = true
            case 3 where Int.random(in: 0..<10, using: &random) == 0:
                jobs.remove(job)
                awake[job] = nil
                asleep[job] = nil
            case 4: if awake[job] != nil { jobs.looked(job) }
            default: time += .random(in: 0...5, using: &random)
            }
            for woken in jobs.wake(at: time) {
                let was = asleep.removeValue(forKey: woken)
                #expect(was.map { $0.isRung || $0.until <= time } == true, "\(woken) is woken for nothing")
                awake[woken] = jobs.rings(of: woken)
            }
            #expect(!asleep.values.contains { !$0.isRung && $0.until <= time }, "one that is due sleeps on")
        }
        for job in Array(awake.keys) { jobs.looked(job) }
        while case let woken = jobs.wake(at: .max), !woken.isEmpty {
            for job in woken {
                asleep[job] = nil
                jobs.looked(job)
            }
        }
        #expect(asleep.values.allSatisfy { $0.until == .max && !$0.isRung })
    }
}
