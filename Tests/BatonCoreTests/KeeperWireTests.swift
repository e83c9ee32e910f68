// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// What keepers and daemons of different ages must agree on, byte for byte.
@Suite struct KeeperWireTests {
    static var spec: LaunchSpec {
        var spec = LaunchSpec(job: "j", runID: "r1", arguments: ["/bin/true", "-x"])
        spec.fence = 258
        spec.node = "n"
        spec.environment = ["A=1"]
        spec.workingDirectory = "/w"
        spec.identity = LaunchSpec.Identity(uid: 1, gid: 2, groups: [3])
        spec.umask = 0o27
        spec.nice = -1
        spec.limits = [LaunchSpec.Limit(.nofile, soft: 10, hard: 20)]
        spec.stopSignal = 15
        spec.stopTimeout = .nanoseconds(1)
        spec.lostGrace = .nanoseconds(2)
        spec.notify = true
        spec.watchdog = .nanoseconds(3)
        spec.output = .file("/l")
        spec.capabilities = 5
        spec.cgroup = "/c"
        spec.unit = "u"
        spec.journalSocket = "/j"
        return spec
    }

    static let specBytes =
        "03010000006a0200000072310201000000000000010000006e02000000090000002f62696e2f74727565020000002d78"
        + "0100000003000000413d31020000002f7701010000000200000001000000030000001700" + "0000ffffffff" + "01000000"
        + "070a000000000000000114000000000000000105000000000000000f00000001000000000000000200000000000000"
        + "01010300000000000000" + "01020000002f6c01020000002f630101000000" + "75020000002f6a"

    /// What a version between wrote.
    static let secondSpecBytes =
        "02010000006a0200000072310201000000000000010000006e02000000090000002f62696e2f74727565020000002d78"
        + "0100000003000000413d31020000002f7701010000000200000001000000030000001700" + "0000ffffffff" + "01000000"
        + "070a000000000000000114000000000000000105000000000000000f0000000100000000000000020000000000000001"
        + "020000002f6c01020000002f630101000000" + "75020000002f6a"

    /// What an earlier version wrote.
    static let firstSpecBytes =
        "01010000006a0200000072310201000000000000010000006e02000000090000002f62696e2f74727565020000002d78"
        + "0100000003000000413d31020000002f7701010000000200000001000000030000001700" + "0000ffffffff010a00000000000000"
        + "0114000000000000000f000000010000000000000002000000000000000102" + "0000002f6c01020000002f63020000002f6a"

    static let reports: [(KeeperReport, String)] = [
        (
            .hello(
                KeeperReport.Hello(
                    runID: "r1", phase: .running, deadline: Instant(nanoseconds: 5), workload: 7, keeper: 8,
                    guardian: 9, realtime: true)),
            "010102000000723103010500000000000000010700000008000000" + "0900000001"
        ),
        (.started(pid: 7, at: Instant(nanoseconds: 256)), "0102070000000001000000000000"),
        (.startFailed(step: .exec, errno: 2), "01030b02000000"),
        (
            .ended(RunEnd(reason: .leaseLost, exit: .signal(9), at: Instant(nanoseconds: 1), termSent: true)),
            "0104020209000000010000000000000001"
        ),
        (.tail([104, 105]), "0105020000006869"),
        (.output(after: 1, from: 258, [104]), "0106" + "0100000000000000" + "0201000000000000" + "0100000068"),
        (.notified(isReady: true, status: "up"), "010701" + "020000007570"),
    ]

    static let orders: [(KeeperOrder, String)] = [
        (.go(deadline: Instant(nanoseconds: -2)), "0101feffffffffffffff"),
        (.extend(deadline: Instant(nanoseconds: 1)), "01020100000000000000"),
        (.stop, "0103"), (.kill, "0104"), (.tail, "0105"), (.ack, "0106"),
        (.output(after: 258), "01070201000000000000"),
    ]

    static let ends: [(RunEnd, String)] = [
        (RunEnd(reason: .exited, exit: .code(3), at: Instant(nanoseconds: 0)), "0100010300000000000000000000" + "0000"),
        (
            RunEnd(reason: .startFailed(step: .lock, errno: 11), at: Instant(nanoseconds: 0)),
            "0104020b00000000000000000000000000"
        ),
        (RunEnd(reason: .keeperLost, at: Instant(nanoseconds: 0)), "01050000000000000000" + "0000"),
        (
            RunEnd(reason: .hung, exit: .signal(6), at: Instant(nanoseconds: 0), termSent: true),
            "0107020600000000000000000000" + "0001"
        ),
    ]

    @Test func specIsTheseBytes() throws {
        #expect(hex(Self.spec.encode()) == Self.specBytes)
        #expect(try LaunchSpec(decoding: Self.spec.encode()) == Self.spec)
        var second = Self.spec
        (second.notify, second.watchdog) = (false, nil)
        #expect(try LaunchSpec(decoding: bytes(Self.secondSpecBytes)) == second)
        var first = second
        first.capabilities = nil
        first.unit = nil
        #expect(try LaunchSpec(decoding: bytes(Self.firstSpecBytes)) == first)
        let plain = LaunchSpec(job: "j", runID: "r", arguments: ["true"])
        #expect(try LaunchSpec(decoding: plain.encode()) == plain)
    }

    @Test(arguments: reports) func reportIsTheseBytes(report: KeeperReport, bytes: String) throws {
        #expect(hex(report.encode()) == bytes)
        #expect(try KeeperReport(decoding: report.encode()) == report)
    }

    @Test(arguments: orders) func orderIsTheseBytes(order: KeeperOrder, bytes: String) throws {
        #expect(hex(order.encode()) == bytes)
        #expect(try KeeperOrder(decoding: order.encode()) == order)
    }

    @Test(arguments: ends) func endIsTheseBytes(end: RunEnd, bytes: String) throws {
        #expect(hex(end.encode()) == bytes)
        #expect(try RunEnd(decoding: end.encode()) == end)
    }

    @Test func everyCutIsRefused() {
        for count in 0..<Self.spec.encode().count {
            #expect(throws: WireError.self) { try LaunchSpec(decoding: Bytes(Self.spec.encode()[..<count])) }
        }
        for (report, _) in Self.reports {
            for count in 0..<report.encode().count {
                #expect(throws: WireError.self) { try KeeperReport(decoding: Bytes(report.encode()[..<count])) }
            }
        }
        #expect(throws: WireError.trailing) { try KeeperOrder(decoding: KeeperOrder.stop.encode() + [0]) }
        #expect(throws: WireError.version(2)) { try KeeperOrder(decoding: [2, 3]) }
    }

    /// A zero byte would cut the string short on its way into the kernel; no command is no run.
    @Test func whatCouldNotRunIsRefused() {
        var spec = Self.spec
        spec.arguments = ["/bin/rm\0-rf"]
        #expect(throws: WireError.invalid) { try LaunchSpec(decoding: spec.encode()) }
        spec.arguments = []
        #expect(throws: WireError.invalid) { try LaunchSpec(decoding: spec.encode()) }
        spec = Self.spec
        spec.stopSignal = 65
        #expect(throws: WireError.invalid) { try LaunchSpec(decoding: spec.encode()) }
        spec = Self.spec
        spec.lostGrace = .seconds(-1)
        #expect(throws: WireError.invalid) { try LaunchSpec(decoding: spec.encode()) }
    }

    @Test func garbageIsNeverMoreThanAnError() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var bytes = Self.spec.encode()
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 1..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            // Only that it returns: what it returns may be another valid spec.
            _ = try? LaunchSpec(decoding: bytes)
            _ = try? KeeperReport(decoding: bytes)
            _ = try? KeeperOrder(decoding: bytes)
            _ = try? RunEnd(decoding: bytes)
        }
    }

    private func bytes(_ hex: String) -> Bytes {
        var digits = Substring(hex)
        var bytes = Bytes()
        while let byte = UInt8(digits.prefix(2), radix: 16) {
            bytes.append(byte)
            digits = digits.dropFirst(2)
        }
        return bytes
    }

    private func hex(_ bytes: Bytes) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
