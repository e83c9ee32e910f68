// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CSystemd
import Glibc

/// Why systemd did not do what it was asked to.
struct SystemBusError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// - Parameter code: a negative errno.
    init(_ what: String, code: Int32) { self.init("\(what): \(String(cString: strerror(-code)))") }
}

/// A conversation with systemd over the system bus. Its calls block, all together for no longer than a time limit.
struct SystemBus: ~Copyable {
    private let bus: OpaquePointer
    private let deadline: Instant
    private let limit: Duration

    private static let name = "org.freedesktop.systemd1"
    private static let path = "/org/freedesktop/systemd1"
    private static let manager = "org.freedesktop.systemd1.Manager"
    private static let service = "org.freedesktop.systemd1.Service"

    init(within limit: Duration) throws(SystemBusError) {
        var opened: OpaquePointer?
        let result = sd_bus_open_system(&opened)
        guard result >= 0, let opened else { throw SystemBusError("the system bus cannot be reached", code: result) }
        bus = opened
        deadline = BootClock.now() + limit
        self.limit = limit
    }

    deinit { sd_bus_close_unref(bus) }

    /// Has a transient unit started, and returns when its main process runs its program.
    ///
    /// - Parameter input: a descriptor that becomes the main process's standard input.
    /// - Throws: when it was refused, failed, or was not done in time. In the last case it may still come to be.
    func startUnit(
        _ unit: String, _ properties: [UnitProperty], input: Int32
    ) throws(SystemBusError) {
        _ = try call(BusMessage(bus, to: Self.name, Self.path, Self.manager, "Subscribe"))
        try listen("sender='\(Self.name)',interface='\(Self.manager)',member='JobRemoved',arg2='\(unit)'")
        try listen(
            "sender='\(Self.name)',path='\(try Self.objectPath(of: unit))',arg0='\(Self.service)'"
                + ",interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'")
        let message = try BusMessage(bus, to: Self.name, Self.path, Self.manager, "StartTransientUnit")
        message.append(unit)
        message.append("fail")
        message.array(of: "(sv)") {
            for property in properties { $0.append(property) }
            $0.append(descriptor: input, as: "StandardInputFileDescriptor")
        }
        message.array(of: "(sa(sv))") { _ in }
        let reply = try call(message)
        try waitForJob(try reply.text("o"), of: unit)
    }

    /// Has a unit stopped, or not started, and does not wait for it. One that is not there is an error.
    func stopUnit(_ unit: String) throws(SystemBusError) {
        let message = try BusMessage(bus, to: Self.name, Self.path, Self.manager, "StopUnit")
        message.append(unit)
        message.append("replace")
        _ = try call(message)
    }

    private func listen(_ match: String) throws(SystemBusError) {
        let message = try BusMessage(
            bus, to: "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch")
        message.append("type='signal'," + match)
        _ = try call(message)
    }

    private func waitForJob(_ job: String, of unit: String) throws(SystemBusError) {
        var exit: (code: Int32, status: Int32)?
        while true {
            var next: OpaquePointer?
            let progress = sd_bus_process(bus, &next)
            if progress < 0 { throw SystemBusError("the system bus", code: progress) }
            if let next {
                let signal = BusMessage(owned: next)
                if signal.isSignal(Self.manager, "JobRemoved") {
                    guard try signal.removedJob() == job else { continue }
                    let result = try signal.text("s", skipping: "s")
                    if result == "done" { return }
                    throw SystemBusError(Self.explanation(of: result, exit, unit))
                }
                if signal.isSignal("org.freedesktop.DBus.Properties", "PropertiesChanged") {
                    exit = try signal.changedExit() ?? exit
                }
            } else if progress == 0 {
                let left = microsecondsLeft
                if left == 0 { throw tooLate }
                sd_bus_wait(bus, left)
            }
        }
    }

    private func call(_ message: consuming BusMessage) throws(SystemBusError) -> BusMessage {
        try message.finish()
        var error = sd_bus_error()
        defer { sd_bus_error_free(&error) }
        var reply: OpaquePointer?
        let left = microsecondsLeft
        if left == 0 { throw tooLate }
        let result = sd_bus_call(bus, message.pointer, left, &error, &reply)
        if result == -ETIMEDOUT { throw tooLate }
        guard result >= 0, let reply else {
            if let text = error.message { throw SystemBusError("systemd refused: \(String(cString: text))") }
            throw SystemBusError("the system bus", code: result)
        }
        return BusMessage(owned: reply)
    }

    private var microsecondsLeft: UInt64 { UInt64(max(0, (deadline - BootClock.now()).nanoseconds / 1000)) }

    private var tooLate: SystemBusError { SystemBusError("systemd did not answer within \(limit)") }

    private static func objectPath(of unit: String) throws(SystemBusError) -> String {
        var encoded: UnsafeMutablePointer<CChar>?
        let result = sd_bus_path_encode("\(path)/unit", unit, &encoded)
        guard result >= 0, let encoded else { throw SystemBusError("the unit's name", code: result) }
        defer { free(encoded) }
        return String(cString: encoded)
    }

    /// What became of a start that is not done, for people.
    private static func explanation(of result: String, _ exit: (code: Int32, status: Int32)?, _ unit: String) -> String
    {
        let more = "journalctl -u \(unit) says more"
        guard result == "failed", let exit, exit.code == CLD_EXITED, exit.status != 0 else {
            return "systemd did not start the run's unit (\(result)); \(more)"
        }
        // Numbers of systemd's own, from 200 on, say which step before the program failed.
        let why: [Int32: String] = [
            203: "the keeper cannot be executed in the sandbox",
            219: "the unit has no cgroup",
            225: "there is no network namespace to be had",
            226: "the sandbox cannot be set up: is every path of it there?",
            228: "the kernel refuses the sandbox's filter of system calls",
        ]
        return "\(why[exit.status] ?? "the run's unit failed to start") (status \(exit.status)); \(more)"
    }
}

/// A message on the bus. What goes wrong while it is put together is told by `finish`.
private final class BusMessage {
    let pointer: OpaquePointer
    private var failure: Int32 = 0

    init(owned pointer: OpaquePointer) { self.pointer = pointer }

    init(
        _ bus: OpaquePointer, to name: String, _ path: String, _ interface: String, _ member: String
    ) throws(SystemBusError) {
        var made: OpaquePointer?
        let result = sd_bus_message_new_method_call(bus, &made, name, path, interface, member)
        guard result >= 0, let made else { throw SystemBusError("the system bus", code: result) }
        pointer = made
    }

    deinit { sd_bus_message_unref(pointer) }

    func finish() throws(SystemBusError) {
        if failure < 0 { throw SystemBusError("what systemd is to be asked cannot be said", code: failure) }
    }

    // MARK: Writing

    func append(_ text: String) {
        text.withCString { check(sd_bus_message_append_basic(pointer, Self.type("s"), $0)) }
    }

    func append(_ property: UnitProperty) {
        switch property.value {
        case .text(let text): entry(property.name, "s") { $0.append(text) }
        case .flag(let flag):
            entry(property.name, "b") {
                var value: Int32 = flag ? 1 : 0
                $0.check(sd_bus_message_append_basic($0.pointer, Self.type("b"), &value))
            }
        case .number(let number):
            entry(property.name, "t") {
                var value = number
                $0.check(sd_bus_message_append_basic($0.pointer, Self.type("t"), &value))
            }
        case .list(let texts): entry(property.name, "as") { $0.append(texts) }
        case .command(let words):
            entry(property.name, "a(sasb)") {
                $0.array(of: "(sasb)") {
                    $0.container("r", "sasb") {
                        $0.append(words.first ?? "")
                        $0.append(words)
                        var failureIsFine: Int32 = 0
                        $0.check(sd_bus_message_append_basic($0.pointer, Self.type("b"), &failureIsFine))
                    }
                }
            }
        }
    }

    func append(descriptor: Int32, as name: String) {
        entry(name, "h") {
            var value = descriptor
            $0.check(sd_bus_message_append_basic($0.pointer, Self.type("h"), &value))
        }
    }

    func array(of contents: String, _ body: (BusMessage) -> Void) { container("a", contents, body) }

    private func append(_ texts: [String]) {
        array(of: "s") { for text in texts { $0.append(text) } }
    }

    private func entry(_ name: String, _ signature: String, _ body: (BusMessage) -> Void) {
        container("r", "sv") {
            $0.append(name)
            $0.container("v", signature, body)
        }
    }

    private func container(_ type: Unicode.Scalar, _ contents: String, _ body: (BusMessage) -> Void) {
        check(sd_bus_message_open_container(pointer, Self.type(type), contents))
        body(self)
        check(sd_bus_message_close_container(pointer))
    }

    private func check(_ result: Int32) {
        if failure >= 0, result < 0 { failure = result }
    }

    private static func type(_ letter: Unicode.Scalar) -> CChar { CChar(truncatingIfNeeded: letter.value) }

    // MARK: Reading

    func isSignal(_ interface: String, _ member: String) -> Bool {
        sd_bus_message_is_signal(pointer, interface, member) > 0
    }

    /// The next field, a string or an object's path, after fields that are of no interest.
    func text(_ type: Unicode.Scalar, skipping: String = "") throws(SystemBusError) -> String {
        if !skipping.isEmpty { try read(sd_bus_message_skip(pointer, skipping)) }
        var found: UnsafePointer<CChar>?
        try read(sd_bus_message_read_basic(pointer, Self.type(type), &found))
        return found.map { String(cString: $0) } ?? ""
    }

    /// Of JobRemoved: the job; its unit and its result follow.
    func removedJob() throws(SystemBusError) -> String { try text("o", skipping: "u") }

    /// Of a service's PropertiesChanged: how its main process ended; nil: nothing of that changed.
    func changedExit() throws(SystemBusError) -> (code: Int32, status: Int32)? {
        _ = try text("s")
        var exit: (code: Int32, status: Int32)?
        try read(sd_bus_message_enter_container(pointer, Self.type("a"), "{sv}"))
        while try read(sd_bus_message_enter_container(pointer, Self.type("e"), "sv")) > 0 {
            switch try text("s") {
            case "ExecMainCode": exit = (try variant(), exit?.status ?? 0)
            case "ExecMainStatus": exit = (exit?.code ?? 0, try variant())
            case _: try read(sd_bus_message_skip(pointer, "v"))
            }
            try read(sd_bus_message_exit_container(pointer))
        }
        return exit
    }

    private func variant() throws(SystemBusError) -> Int32 {
        var value: Int32 = 0
        try read(sd_bus_message_enter_container(pointer, Self.type("v"), "i"))
        try read(sd_bus_message_read_basic(pointer, Self.type("i"), &value))
        try read(sd_bus_message_exit_container(pointer))
        return value
    }

    @discardableResult
    private func read(_ result: Int32) throws(SystemBusError) -> Int32 {
        if result < 0 { throw SystemBusError("what systemd answers cannot be read", code: result) }
        return result
    }
}
