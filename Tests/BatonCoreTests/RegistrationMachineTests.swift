// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// A node's registration, answer by answer.
struct RegistrationMachineTests {
    private let one = Bytes("one".utf8)
    private let two = Bytes("two".utf8)

    private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    @Test func theWholeRecordIsSentWhenItChanged() {
        var machine = RegistrationMachine()
        #expect(machine.wanted(one) == one)
        #expect(machine.handle(.registered, to: one, at: at(0)) == nil)
        #expect(machine.wanted(one) == nil)
        #expect(machine.handle(.registered, to: nil, at: at(5)) == nil)
        #expect(machine.wanted(one) == nil)
        #expect(machine.wanted(two) == two)
        #expect(machine.handle(.registered, to: two, at: at(7)) == nil)
        #expect(machine.wanted(two) == nil && machine.wanted(one) == one)
    }

    @Test func aStoreThatForgotUsIsToldEverything() {
        var machine = RegistrationMachine()
        _ = machine.handle(.registered, to: one, at: at(0))
        #expect(machine.handle(.unknown, to: nil, at: at(5)) == nil)
        #expect(machine.wanted(one) == one)
        #expect(machine.handle(.registered, to: one, at: at(5)) == nil)
        #expect(machine.wanted(one) == nil)
    }

    @Test func anotherOneOfTheNameIsBelievedOnlyWhenItOutlivesItsRecord() {
        var machine = RegistrationMachine()
        #expect(machine.handle(.taken(instance: "b"), to: one, at: at(0)) == nil)
        #expect(machine.wanted(one) == nil)
        #expect(machine.handle(.taken(instance: "b"), to: nil, at: at(19)) == nil)
        #expect(machine.handle(.taken(instance: "b"), to: nil, at: at(20)) == .barred(by: "b"))
        #expect(machine.handle(.taken(instance: "b"), to: nil, at: at(25)) == nil)
        #expect(machine.handle(.taken(instance: "c"), to: nil, at: at(30)) == .barred(by: "c"))
        // It goes: everything is said, and the jobs may run.
        #expect(machine.handle(.unknown, to: nil, at: at(35)) == .admitted)
        #expect(machine.wanted(one) == one)
        #expect(machine.handle(.registered, to: one, at: at(35)) == nil)
        #expect(machine.wanted(one) == nil)
    }

    @Test func theRecordOfAnEarlierBootRunsOut() {
        var machine = RegistrationMachine()
        for second in stride(from: Int64(0), through: 10, by: 5) {
            #expect(machine.handle(.taken(instance: "before"), to: second == 0 ? one : nil, at: at(second)) == nil)
        }
        #expect(machine.handle(.unknown, to: nil, at: at(15)) == nil)
        #expect(machine.wanted(one) == one)
    }

    @Test func aNameThatWasLostInAnOutageIsContestedAnew() {
        var machine = RegistrationMachine()
        _ = machine.handle(.registered, to: one, at: at(0))
        #expect(machine.handle(.taken(instance: "b"), to: nil, at: at(100)) == nil)
        #expect(machine.handle(.unknown, to: nil, at: at(105)) == nil)
        #expect(machine.handle(.taken(instance: "b"), to: one, at: at(105)) == nil)
        #expect(machine.handle(.taken(instance: "b"), to: nil, at: at(124)) == nil)
        #expect(machine.handle(.taken(instance: "b"), to: nil, at: at(125)) == .barred(by: "b"))
    }
}
