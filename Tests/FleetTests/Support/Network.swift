// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Testing

@testable import BatonTestSupport

/// A network of its own, in namespaces: a switch in the namespace `hub`, where the server is, and a cable to each machine.
///
/// Its addresses exist nowhere else; what is cut is dropped without an answer, as on a real network.
final class Network: Sendable {
    static let serverAddress = "10.77.0.1"

    private let id = "baton-" + UUID().uuidString.prefix(8).lowercased()
    private let machines: [String]
    private let badLines = Mutex<[String: Process]>([:])
    var hub: String { "\(id)-hub" }

    /// The namespace of a machine.
    func namespace(_ machine: String) -> String { "\(id)-\(machine)" }

    fileprivate init(machines: [String]) {
        self.machines = machines
        for name in machines.map(namespace) + [hub] { Janitor.shared.sweepIfKilled(namespace: name) }
    }

    fileprivate func build() async throws {
        var lines = [
            "netns add \(hub)",
            "-n \(hub) link set lo up",
            "-n \(hub) link add switch type bridge",
            "-n \(hub) link set switch up",
            "-n \(hub) address add \(Self.serverAddress)/24 dev switch",
        ]
        for (index, machine) in machines.enumerated() {
            let inside = namespace(machine)
            lines += [
                "netns add \(inside)",
                "-n \(inside) link set lo up",
                "-n \(hub) link add port-\(machine) type veth peer name uplink netns \(inside)",
                "-n \(hub) link set port-\(machine) master switch up",
                "-n \(inside) address add 10.77.0.\(index + 2)/24 dev uplink",
                "-n \(inside) link set uplink up",
            ]
        }
        for line in lines { try await ip(line) }
        // The hub answers for its address at the switch only, also when a cable is not in it.
        _ = try await run(
            "/usr/bin/nsenter",
            ["--net=/run/netns/\(hub)", "/bin/sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore"])
    }

    fileprivate func remove() async {
        for process in badLines.withLock({ Array($0.values) }) { kill(process.processIdentifier, SIGKILL) }
        // The hub takes the switch and the cables with it.
        for name in [hub] + machines.map(namespace) { try? await ip("netns delete \(name)") }
    }

    enum Cut: String, CaseIterable, CustomTestStringConvertible {
        /// The cable is pulled out of the switch.
        case cable
        /// The cable is fine, the switch forwards nothing.
        case switching
        /// The machine is heard, but hears nothing.
        case replies
        /// The machine hears, but is not heard by the server.
        case requests
        /// Only the server can't be reached, and that is said at once.
        case route
        var testDescription: String { rawValue }
    }

    func cut(_ machine: String, _ cut: Cut) async throws {
        switch cut {
        case .cable: try await ip("-n \(hub) link set port-\(machine) down")
        case .switching: try await ip("-n \(hub) link set port-\(machine) nomaster")
        case .replies:
            // What is for the machine goes to an address that nobody has.
            try await ip(
                "-n \(hub) neighbour replace \(try address(machine)) lladdr 02:00:00:00:00:99 nud permanent dev switch")
        case .requests:
            try await ip(
                "-n \(namespace(machine)) neighbour replace \(Self.serverAddress) lladdr 02:00:00:00:00:99 nud permanent dev uplink"
            )
        case .route: try await ip("-n \(namespace(machine)) route add unreachable \(Self.serverAddress)")
        }
    }

    func mend(_ machine: String, _ cut: Cut) async throws {
        switch cut {
        case .cable: try await ip("-n \(hub) link set port-\(machine) up")
        case .switching: try await ip("-n \(hub) link set port-\(machine) master switch")
        // A link that went down meanwhile has forgotten these two.
        case .replies: try? await ip("-n \(hub) neighbour delete \(try address(machine)) dev switch")
        case .requests:
            try? await ip("-n \(namespace(machine)) neighbour delete \(Self.serverAddress) dev uplink")
        case .route: try await ip("-n \(namespace(machine)) route delete unreachable \(Self.serverAddress)")
        }
    }

    /// The switch itself: nobody reaches anybody.
    func setSwitch(isUp: Bool) async throws { try await ip("-n \(hub) link set switch \(isUp ? "up" : "down")") }

    /// Puts a bad line between a machine and the switch (`bad-line`, with these options) until it is taken away.
    func spoilLine(of machine: String, _ options: [String]) async throws {
        let line = Self.badLine(of: machine)
        try await ip("-n \(hub) link add \(line) type veth peer name \(line)-in")
        try await ip("-n \(hub) link set \(line) up")
        try await ip("-n \(hub) link set port-\(machine) nomaster")
        try await ip("-n \(hub) link set \(line)-in master switch up")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/nsenter")
        process.arguments = ["--net=/run/netns/\(hub)", Binary.badLine, "port-\(machine)", line] + options
        process.standardInput = FileHandle.nullDevice
        try process.run()
        badLines.withLock { $0[machine] = process }
    }

    func repairLine(of machine: String) async throws {
        let process = badLines.withLock { $0.removeValue(forKey: machine) }
        if let process { kill(process.processIdentifier, SIGKILL) }
        process?.waitUntilExit()
        try await ip("-n \(hub) link set port-\(machine) master switch")
        try await ip("-n \(hub) link delete \(Self.badLine(of: machine))")
    }

    /// A name with room for "-in" (15 characters in all).
    private static func badLine(of machine: String) -> String { "bad-" + machine.prefix(8) }

    private func address(_ machine: String) throws -> String {
        let index = try #require(machines.firstIndex(of: machine))
        return "10.77.0.\(index + 2)"
    }

    private func ip(_ line: String) async throws {
        let (code, _, errors) = try await run("/usr/sbin/ip", line.split(separator: " ").map(String.init))
        if code != 0 { throw TestFailure("ip \(line): \(errors)") }
    }
}

/// Runs `body` with a network that is gone when this returns, whatever happens.
func withNetwork(_ machines: [String], _ body: (Network) async throws -> Void) async throws {
    let network = Network(machines: machines)
    do {
        try await network.build()
        try await body(network)
    } catch {
        await network.remove()
        throw error
    }
    await network.remove()
}

extension Trait where Self == ConditionTrait {
    /// For tests that make namespaces. In CI they run, and fail without root: nothing is left out silently.
    static var needsRoot: ConditionTrait {
        .enabled(
            if: geteuid() == 0 || ProcessInfo.processInfo.environment["CI"] == "true",
            "needs root: it makes network namespaces")
    }
}
