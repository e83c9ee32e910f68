// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// What `batonctl explain` says in every state, as a person reads it.
struct ExplanationTests {
    private func facts(_ state: StatusReport.State?, _ change: (inout ExplainFacts) -> Void = { _ in }) -> String {
        var facts = ExplainFacts(node: "web-1", job: "report", state: state, timeout: .seconds(15))
        change(&facts)
        return Explanation(facts).text
    }

    private func record(_ node: String, _ standing: NodeRecord.Standing?, digest: UInt64 = 1) -> NodeRecord {
        let jobs = standing.map { [NodeRecord.Job(name: "report", digest: digest, standing: $0)] } ?? []
        return NodeRecord(node: node, instance: "i-\(node)", version: "0.1.0", since: "", jobs: jobs)
    }

    private let held = ExplainFacts.Lock.held(
        node: "web-2", since: "2026-11-23T02:00:00Z", fence: 17, left: .milliseconds(12_310))

    @Test func onStandby() {
        let text = facts(.standby) {
            $0.lock = held
            $0.nodes = [record("web-1", .standby), record("web-2", .running), record("web-3", .standby)]
        }
        #expect(
            text == """
                report does not run here, on web-1: it runs on web-2.
                web-2 has held its lock since 2026-11-23T02:00:00Z, with fence 17; the lock lasts for another 12.4 s, and is renewed meanwhile.
                If web-2 dies, another node takes over at most 15.1 s after its last renewal; if it is stopped properly, at once. web-1 would, and so would web-3.

                to stop it, on every node: batonctl stop report
                """)
        let alone = facts(.standby) { $0.lock = held }
        #expect(alone.contains("if it is stopped properly, at once. web-1 would.\n"))
    }

    @Test func running() {
        let text = facts(.running) {
            $0.run = .init(runID: "r-1", pid: 4242, fence: 17, leaseLeft: .milliseconds(12_310))
            $0.lock = .held(node: "web-1", since: "2026-11-23T02:00:00Z", fence: 17, left: .seconds(13))
            $0.nodes = [record("web-1", .running), record("web-2", .standby), record("web-3", .standby)]
        }
        #expect(
            text == """
                report runs here, on web-1, as pid 4242.
                Its run id is r-1, its fence 17.
                Its lease lasts for another 12.4 s; it is renewed every 5.0 s.
                If this node dies, web-2 or web-3 takes over at most 15.1 s after the last renewal.

                to see its output: batonctl logs report
                to stop it, on every node: batonctl stop report
                """)
        let alone = facts(.running) {
            $0.run = .init(runID: "r-1", pid: nil, fence: 17, leaseLeft: .zero)
            $0.nodes = [record("web-1", .running), record("web-2", .disabled)]
        }
        #expect(alone.hasPrefix("report runs here, on web-1.\n"))
        #expect(alone.contains("\nIts lease is over.\nNo other node is on standby for it.\n"))
    }

    @Test func beginningAndEnding() {
        let run = ExplainFacts.Run(runID: "r-1", pid: 4242, fence: 17, leaseLeft: .seconds(1))
        #expect(facts(.starting) { $0.run = run }.hasPrefix("report is being started here, on web-1.\nIts run id"))
        let stopping = facts(.stopping) {
            $0.run = run
            $0.reason = "the lease is over; waiting until every process is gone"
        }
        #expect(
            stopping.hasPrefix(
                "report is being stopped here, on web-1.\nFor now: the lease is over; waiting until every process is gone."
            ))
        #expect(
            facts(.stopping) { $0.reason = "the store does not take the release" } == """
                report has just ended here, on web-1: its lock is being released.
                For now: the store does not take the release.
                """)
    }

    @Test func aScheduledJobWaitsForItsTick() {
        let text = facts(.standby) {
            $0.lock = .free
            $0.nextTick = "2026-11-27T02:00:00Z"
        }
        #expect(
            text == """
                report does not run here, on web-1: it is not due; its next tick is 2026-11-27T02:00:00Z.

                to see how its last runs ended: batonctl history report
                to have it run now: batonctl run report
                """)
    }

    @Test func theLockIsNobodysOrAStrangers() {
        #expect(
            facts(.standby) { $0.lock = .free } == """
                report does not run here, on web-1: nobody holds its lock just now; the nodes that may run it are competing for it.
                """)
        let vanished = "the lock vanished without a release; its holder may still be at work"
        #expect(
            facts(.standby) {
                $0.lock = .free
                $0.reason = vanished
            } == "report does not run here, on web-1: \(vanished).")
        #expect(
            facts(.standby) { $0.lock = .foreign(left: .seconds(3)) } == """
                report does not run here, on web-1: a program that is not Baton holds its lock.
                Nothing is started before that lock is gone: in 3.0 s, unless it is renewed.
                """)
        #expect(
            facts(.standby) { $0.lock = .foreign(left: nil) }.hasSuffix(
                "Nothing is started before that lock is gone. It has no TTL: it stays until it is deleted."))
    }

    @Test func theStoreDoesNotSay() {
        let silent = facts(.standby) { $0.storeTrouble = "no route to 10.0.0.5:6379" }
        #expect(
            silent == """
                report does not run here, on web-1: the store does not say who holds its lock.
                The store can't be asked: no route to 10.0.0.5:6379.
                """)
        #expect(
            facts(.standby) { $0.nodes = [record("web-2", .running)] }.hasPrefix(
                "report does not run here, on web-1: it runs on web-2."))
        #expect(
            facts(.waitingForStore) { $0.reason = "no route to 10.0.0.5:6379" } == """
                report does not run here, on web-1: the store can't be asked, or refuses: no route to 10.0.0.5:6379.
                It is asked again and again. Nothing is started without its answer.

                to see how the store is: batonctl status
                """)
        #expect(
            facts(.waitingForStore) { $0.newStoreWait = .milliseconds(29_950) } == """
                report does not run here, on web-1: the store is new, or lost its data.
                Runs that it no longer knows of must have ended before anything new is started: that takes another 30.0 s. Nothing has to be done.
                """)
    }

    @Test func aMarkHoldsItBack() {
        #expect(
            facts(.heldDown) { $0.mark = Mark(kind: .heldDown, by: "web-3") } == """
                report runs on no node: it was stopped by an operator on web-3.

                to let it run: batonctl run report
                """)
        #expect(facts(.heldDown).hasPrefix("report runs on no node: it was stopped by an operator.\n"))
        #expect(
            facts(.finished) { $0.mark = Mark(kind: .finished, by: "web-3") } == """
                report runs on no node: it is done, by its restart policy; its last run was on web-3.

                to let it run again: batonctl run report
                """)
        #expect(
            facts(.backoff) {
                $0.mark = Mark(kind: .coolingDown, remaining: .milliseconds(4000), failures: 3, by: "web-3")
            } == """
                report runs on no node: its last 3 runs failed, the last one on web-3.
                No node starts it for another 4.0 s: that is its restart delay.

                to start it now: batonctl run report
                """)
        #expect(
            facts(.backoff) { $0.mark = Mark(kind: .coolingDown, remaining: .seconds(1), failures: 1) }.hasPrefix(
                "report runs on no node: its last run failed.\nNo node starts it for another 1.0 s"))
        #expect(
            facts(.backoff) { $0.mark = Mark(kind: .coolingDown, remaining: .seconds(1)) }.hasPrefix(
                "report runs on no node: its last run has ended.\n"))
        #expect(
            facts(.backoff) { $0.reason = "failed here; competes again in 2.0 s" }.hasPrefix(
                "report does not run here, on web-1: failed here; competes again in 2.0 s.\n"))
        #expect(facts(.paused).hasPrefix("report does not run here, on web-1: it is paused."))
        let paused = facts(.paused) { $0.mark = Mark(kind: .paused, remaining: .seconds(90), by: "web-3") }
        #expect(paused.hasPrefix("report does not run here, on web-1: it is paused, by an operator on web-3.\n"))
        #expect(paused.contains("The pause is over in ") && paused.contains("batonctl resume report"))
    }

    @Test func itsFileKeepsItFromRunning() {
        let disabled = facts(.disabled) {
            $0.lock = held
            $0.nodes = [record("web-1", .disabled), record("web-2", .running), record("web-3", .standby)]
        }
        #expect(
            disabled == """
                report does not run here, on web-1: its job file on this node says enabled = false.
                web-2 has held its lock since 2026-11-23T02:00:00Z, with fence 17; the lock lasts for another 12.4 s, and is renewed meanwhile.
                So it runs on web-2.

                after changing that: batonctl reload
                """)
        let invalid = facts(.invalid) {
            $0.reason = "report.toml:1: no key 'comand'; did you mean 'command'?\nreport.toml:3: is not a duration"
            $0.nodes = [record("web-1", .invalid), record("web-3", .standby)]
        }
        #expect(
            invalid == """
                report does not run here, on web-1: its job file on this node is invalid.
                report.toml:1: no key 'comand'; did you mean 'command'?
                report.toml:3: is not a duration
                On standby for it: web-3.

                to check it when it is mended: batonctl check
                to have batond read it: batonctl reload
                """)
        #expect(
            facts(.ineligible) { $0.reason = "placement.nodes = [\"db-*\"] does not match web-1" }
                == "report does not run here, on web-1: placement.nodes = [\"db-*\"] does not match web-1.")
        let absent = facts(nil) {
            $0.lock = held
            $0.nodes = [record("web-1", nil), record("web-2", .running), record("web-3", .standby)]
        }
        #expect(
            absent == """
                report does not run here, on web-1: this node has no job file of that name.
                There is one on web-2 and web-3.
                web-2 has held its lock since 2026-11-23T02:00:00Z, with fence 17; the lock lasts for another 12.4 s, and is renewed meanwhile.
                So it runs on web-2.
                """)
    }

    @Test func anotherDaemonHasTheNodesName() {
        for state in [StatusReport.State.ineligible, .standby] {
            let text = facts(state) {
                $0.barredBy = "fedc"
                $0.reason = "another live batond (instance fedc) has this node's name"
            }
            #expect(
                text == """
                    report does not run here, on web-1: another live batond has this node's name.
                    The other one's instance is fedc. Until the name is free nothing new is started here; what runs here goes on.
                    Give one of the two another node.name in its batond.toml, and restart it.

                    to see both: batonctl nodes
                    """)
        }
    }

    @Test func filesThatDifferAreNamed() {
        let text = facts(.standby) {
            $0.lock = held
            $0.nodes = [
                record("web-1", .standby, digest: 7), record("web-2", .running), record("web-3", .standby),
                record("web-4", .standby, digest: 9), record("web-5", nil),
            ]
        }
        #expect(text.contains("\nThe job file on web-1, this node, is not the same as on web-2.\n"))
        #expect(text.contains("\nThe job file on web-4 is not the same as on web-2.\n"))
        #expect(text.contains("\nThere is no such job file on web-5, but one on web-2.\n"))
        #expect(text.hasSuffix("\nto compare all nodes: batonctl nodes"))
    }

    @Test func whatTheStoreSaysCannotSteerTheTerminal() {
        let text = facts(.heldDown) { $0.mark = Mark(kind: .heldDown, by: "evil\u{1b}]0;owned\u{7}") }
        #expect(text.contains("evil\\x1b]0;owned\\x07"))
    }

    @Test func eachStateSaysMoreThanItsName() {
        let states: [StatusReport.State?] = [
            .running, .standby, .starting, .stopping, .backoff, .paused, .disabled, .ineligible, .invalid,
            .waitingForStore, .heldDown, .finished, nil,
        ]
        for state in states {
            let text = facts(state)
            #expect(text.hasPrefix("report ") && text.contains("."), "\(text)")
        }
    }
}
