// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Waits for the end of a run that was asked for.
struct RunWatch {
    let client: ControlClient
    let job: String
    let id: Int64

    /// So long batond, or the store, may be away: it may be restarted meanwhile.
    private static let patience = Duration.seconds(30)
    /// So long the end of a run may be unknown whose lock is free: it may be on its way.
    private static let doubt = Duration.seconds(20)

    /// - Throws: when the limit is over first, when nobody says how it ended, or nobody can be asked.
    func end(within limit: Duration?) async throws(Failure) -> (answer: [UInt8], RequestReport) {
        let clock = ContinuousClock()
        let start = clock.now
        var (heard, pause) = (start, Duration.milliseconds(50))
        var state = RequestReport.State.waiting
        var doubtful: ContinuousClock.Instant?
        while true {
            do throws(Failure) {
                let answer = try await client.get(["jobs", job, "requests", String(id)])
                let report = try RequestReport(answer: answer)
                (heard, state) = (clock.now, report.state)
                if state == .ended { return (answer, report) }
                doubtful = state == .unknown ? doubtful ?? heard : nil
            } catch {
                guard error.code == .unreachable, clock.now - heard < Self.patience else { throw error }
            }
            if let doubtful, clock.now - doubtful > Self.doubt {
                throw Failure(
                    code: .failed, message: "nobody says how the run ended; \"batonctl history \(job)\" may tell later")
            }
            if let limit, clock.now - start >= limit { throw timeUp(state) }
            let rest = limit.map { $0 - (clock.now - start) } ?? pause
            try? await clock.sleep(for: min(pause, rest))  // This program is not cancelled, it is ended.
            pause = min(pause * 2, .seconds(1))
        }
    }

    private func timeUp(_ state: RequestReport.State) -> Failure {
        let what = state == .waiting ? "no node has started the run yet; it is still wanted" : "the run goes on"
        return Failure(code: .failed, message: "the time is up: \(what). \"batonctl history \(job)\" will tell of it")
    }

    /// In one line.
    static func text(_ report: RequestReport) -> String {
        guard let run = report.run else { return PrintableText.escaped("\(report.job): \(report.state.rawValue)") }
        let place = run.node.map { " on \($0)" } ?? ""
        return PrintableText.escaped("\(report.job): \(HistoryTable.outcome(of: run))\(place)")
    }
}
