// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Glibc
import Testing

/// Programs that are run for a moment, as `[notify]` has them run.
@Suite(.timeLimit(.minutes(2))) struct BriefProgramTests {
    private static let reactor = try? Reactor()

    private func end(
        _ script: String, input: String = "", within limit: Duration = .seconds(20), abort: StopSwitch? = nil,
        _ change: (inout LaunchSpec) -> Void = { _ in }
    ) throws -> (end: BriefProgram.End, output: String, took: Duration) {
        var spec = LaunchSpec(job: "report", runID: "", arguments: ["/bin/sh", "-c", script])
        spec.environment = ["PATH=/usr/bin:/bin", "A=b"]
        change(&spec)
        let stop = try abort ?? StopSwitch()
        let begun = BootClock.now()
        var output = ""
        let end = try BriefProgram.run(
            spec, input: Bytes(input.utf8), within: limit, abort: stop.descriptor, reactor: try #require(Self.reactor)
        ) { output += String(decoding: $0, as: UTF8.self) }
        return (end, output, BootClock.now() - begun)
    }

    @Test func itReadsItsInputAndIsHeard() throws {
        // More than any pipe has room for, and not read to its end.
        let input = "first\n" + String(repeating: "x", count: 1 << 20)
        let (end, output, _) = try end("head -1; echo err >&2; env; pwd", input: input)
        #expect(end == .ended(.code(0)))
        #expect(output.hasPrefix("first\nerr\n") && output.contains("A=b\n") && output.hasSuffix("/\n"))
        #expect(!output.contains("HOME="))
        #expect(try self.end("wc -c", input: input).output.contains("\(input.utf8.count)"))
    }

    @Test func itsEndIsTold() throws {
        #expect(try end("exit 3").end == .ended(.code(3)))
        #expect(try end("kill -9 $$").end == .ended(.signal(9)))
        #expect(
            try end("") { $0.arguments = ["/no/such/program"] }.end == .notStarted(.exec, errno: ENOENT))
        #expect(
            try end("") { $0.workingDirectory = "/no/such" }.end == .notStarted(.workingDirectory, errno: ENOENT))
    }

    @Test func nothingOfTheDaemonsIsInherited() throws {
        let (_, output, _) = try end("ls /proc/self/fd; sleep 0; ps -o sid= -p $$; echo $$; trap")
        let lines = output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        // "ls" has the folder itself open.
        #expect(Array(lines.prefix(4)) == ["0", "1", "2", "3"])
        #expect(lines.count == 6 && lines[4] == lines[5], "a session of its own: \(output)")
    }

    @Test func oneThatHangsIsKilledWithItsGroup() throws {
        let (end, output, took) = try end(
            "trap '' TERM INT; sleep 600 & echo $!; sleep 600; echo never", within: .milliseconds(500))
        #expect(end == .tookTooLong)
        #expect(took >= .milliseconds(500) && took < .seconds(5))
        let child = try #require(Int32(output.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(waitForEnd(of: child))
    }

    /// Such as a mail program that delivers in the background.
    @Test func whatItLeavesMayGoOnUntilTheTimeIsUp() throws {
        let (end, output, took) = try end("(sleep 0.4; echo delivered) & exit 0")
        #expect(end == .ended(.code(0)) && output == "delivered\n")
        #expect(took < .seconds(5))
        let other = try self.end("sleep 600 & echo $!; exit 4", within: .milliseconds(500))
        #expect(other.end == .ended(.code(4)))
        #expect(waitForEnd(of: try #require(Int32(other.output.trimmingCharacters(in: .whitespacesAndNewlines)))))
    }

    @Test func itIsEndedWhenNobodyWaits() throws {
        let stop = try StopSwitch()
        Thread.detachNewThread {
            usleep(200_000)
            stop.turnOn()
        }
        let (end, _, took) = try end("sleep 600", abort: stop)
        #expect(end == .aborted && took < .seconds(5))
    }

    @Test func oneThatPrintsWithoutEndIsEndedInTime() throws {
        let (end, output, took) = try end("exec yes", within: .milliseconds(800))
        #expect(end == .tookTooLong && output.hasPrefix("y\ny\n") && took < .seconds(5))
        #expect(output.utf8.count < 64 << 20)
    }

    /// It may be a zombie of somebody else's.
    private func waitForEnd(of pid: Int32) -> Bool {
        for _ in 0..<200 {
            let state = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8))?.split(separator: ")").last
            guard let state, !state.hasPrefix(" Z") else { return true }
            usleep(10_000)
        }
        return false
    }
}
