// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// What a peer announces is not reserved, and what it sends is kept up to a bound.
@Suite(.timeLimit(.minutes(1)))
struct ReplyLimitTests {
    static let tooLarge = [
        "*500000000\r\n", "*2147483647\r\n", "*1025\r\n", "*-2\r\n",
        String(repeating: "*1024\r\n", count: 5), String(repeating: "*1\r\n", count: 8),
        "*4\r\n" + String(repeating: "*1024\r\n" + String(repeating: ":1\r\n", count: 1024), count: 4),
        "$2147483648\r\n" + String(repeating: "A", count: 1 << 20), "+" + String(repeating: "A", count: 1 << 20),
        "-" + String(repeating: "A", count: 1 << 20), "*2\r\n$5\r\nabcde\r\n+" + String(repeating: "A", count: 1 << 20),
    ]

    @Test(arguments: tooLarge)
    func whatIsTooLargeIsAnErrorAndNotAnAllocation(reply: String) throws {
        let before = try Memory()
        var reader = ReplyReader()
        #expect(throws: ReplyReader.Failure.self, "\(reply.prefix(40).debugDescription)") {
            for piece in stride(from: 0, to: reply.utf8.count, by: 1 << 14) {
                try Array(reply.utf8.dropFirst(piece).prefix(1 << 14)).withUnsafeBytes { try reader.feed($0) }
                while try reader.next() != nil {}
            }
        }
        let after = try Memory()
        // Other threads take some, too; 500 million elements are 4 GB.
        #expect(after.peak - before.peak < 1 << 30, "\(reply.prefix(40).debugDescription)")
        #expect(after.resident - before.resident < 64 << 20, "\(reply.prefix(40).debugDescription)")
    }

    @Test func whatIsAllowedIsRead() throws {
        var reader = ReplyReader()
        let large = String(repeating: "A", count: (1 << 20) - 64)
        let many = "*1024\r\n" + String(repeating: ":1\r\n", count: 1024)
        for _ in 0..<3 {
            for reply in ["$\(large.count)\r\n\(large)\r\n", many, "*3\r\n" + String(repeating: many, count: 3)] {
                try Array(reply.utf8).withUnsafeBytes { try reader.feed($0) }
                #expect(try reader.next() != nil)
                #expect(try reader.next() == nil)
            }
        }
    }

    /// Of this process, in bytes.
    private struct Memory {
        /// The most address space that was ever reserved.
        let peak: Int
        /// What is in use now.
        let resident: Int

        init() throws {
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            func kilobytes(_ name: String) -> Int {
                let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
                return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
            }
            (peak, resident) = (kilobytes("VmPeak") << 10, kilobytes("VmRSS") << 10)
            if peak == 0 { throw TestFailure("no VmPeak") }
        }
    }
}
