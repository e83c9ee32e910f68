// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore
import Foundation

/// `batonctl reexec`
struct Reexec: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have batond replace itself by the program that is installed now, without disturbing a run.",
        discussion: """
            For upgrades. The process stays, with its runs, their fences and their leases. First the new program checks \
            the files of the node: if it would not start with them, nothing is done. It returns when the new batond is up.
            """)

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    /// How long the new batond may take to be up.
    private static let patience = Duration.seconds(30)
    /// The same, when batond said nothing before it was gone: it may have been stopped instead.
    private static let patienceWithoutAnswer = Duration.seconds(5)

    private struct Done: Encodable {
        var from: String
        var to: String
        var instance: String
        var runs: Int
    }

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let before = try Self.report(try await socket.client.get(["status"]))
            var patience = Self.patience
            do throws(Failure) {
                _ = try await socket.client.post(["reexec"])
            } catch {
                // It may be gone before its answer was sent: then the next one is to be seen.
                if error.code != .unreachable { throw error }
                patience = Self.patienceWithoutAnswer
            }
            let after = try await successor(of: before, within: patience)
            let runs = Self.runs(after)
            if json.isSet {
                let done = Done(from: before.version, to: after.version, instance: after.instance, runs: runs)
                let body = try? JSONEncoder().encode(done)  // text and numbers: it can't fail
                return Output.line(JSONText.pretty(Array(body ?? Data())))
            }
            let versions = before.version == after.version ? after.version : "\(before.version) -> \(after.version)"
            Output.line("batond \(versions) is up anew, with \(runs) run\(runs == 1 ? "" : "s")")
        }
    }

    private static func runs(_ report: StatusReport) -> Int { report.jobs.filter { $0.run != nil }.count }

    /// A report by another instance, after it has taken the runs over; some may have ended meanwhile.
    private func successor(
        of before: StatusReport, within patience: Duration
    ) async throws(Failure) -> StatusReport {
        let end = ContinuousClock.now + patience
        var seen: ContinuousClock.Instant?
        while ContinuousClock.now < end {
            if let body = try? await socket.client.get(["status"]), let report = try? Self.report(body),
                report.instance != before.instance
            {
                let since = seen ?? .now
                seen = since
                if Self.runs(report) >= Self.runs(before) || .now > since + .seconds(1) { return report }
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
        throw Failure(
            code: .unreachable,
            message: "no new batond is up after \(patience): \"systemctl status batond\" says more")
    }

    private static func report(_ body: [UInt8]) throws(Failure) -> StatusReport {
        do { return try JSONDecoder().decode(StatusReport.self, from: Data(body)) } catch {
            throw Failure(
                code: .failed, message: "batond's answer can't be read (is it of another version?): \(error)")
        }
    }
}
