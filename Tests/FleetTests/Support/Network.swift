// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import BatonTestSupport

/// A network of its own, in namespaces: a switch in the namespace `hub`, where the server is, and a cable to each machine.
///
/// Its addresses exist nowhere else; what is cut is dropped without an answer, as on a real network.
final class Network: Sendable {
    static let serverAddress = "10.77.0.1"

    private let id = "baton-" + UUID().uuidString.prefix(8).lowercased()
    private let machines: [String]
    var hub: String { "\(id)-hub" }

    /// The namespace of a machine.
    func namespace(_ machine: String) -> String { "\(id)-\(machine)" }

    fileprivate init(machines: [String]) { self.machines = machines }

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
    }

    fileprivate func remove() async {
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
        }
    }

    func mend(_ machine: String, _ cut: Cut) async throws {
        switch cut {
        case .cable: try await ip("-n \(hub) link set port-\(machine) up")
        case .switching: try await ip("-n \(hub) link set port-\(machine) master switch")
        case .replies: try await ip("-n \(hub) neighbour delete \(try address(machine)) dev switch")
        }
    }

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
