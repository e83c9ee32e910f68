// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Hummingbird

/// What the store knows of the ticks of jobs with a schedule.
///
///     GET  /v1/jobs/JOB/history?lines=N          its last runs; with output=true for those who may act
///     GET  /v1/jobs/JOB/next?ticks=N             its next ticks
///     GET  /v1/jobs/JOB/requests/ID              what has become of a run that was asked for
extension ControlRoutes {
    func addLedger(to router: Router<ControlContext>) {
        router.get("v1/jobs/:job/history") { request, context in
            let withOutput = try request.flag("output")
            if withOutput { try gate.admit(context.peer, needing: .act, to: request) }
            let limit = try request.number("lines", in: 1...100) ?? 100
            let report = try await backend.history(job: try Self.job(context), limit: limit)
            return try ControlAnswer.json(withOutput ? report : report.withoutOutput())
        }
        router.get("v1/jobs/:job/next") { request, context in
            let count = try request.number("ticks", in: 1...1000) ?? 5
            return try ControlAnswer.json(try await backend.next(job: try Self.job(context), count: count))
        }
        router.get("v1/jobs/:job/requests/:id") { _, context in
            guard let id = Int64(try context.parameters.require("id")), id > 0 else {
                throw HTTPError(.badRequest, message: "this is not the number of a request")
            }
            return try ControlAnswer.json(try await backend.request(id, of: try Self.job(context)).withoutOutput())
        }
    }
}

extension Request {
    /// A number in the query; nil: it is not there.
    func number(_ name: String, in range: ClosedRange<Int>) throws(HTTPError) -> Int? {
        guard let text = uri.queryParameters[Substring(name)] else { return nil }
        if let number = Int(text), range.contains(number) { return number }
        throw HTTPError(
            .badRequest, message: "\(name) wants a number from \(range.lowerBound) to \(range.upperBound)")
    }

    /// Whether the query says that something is true.
    func flag(_ name: String) throws(HTTPError) -> Bool {
        switch uri.queryParameters[Substring(name)] {
        case nil, "false": return false
        case "true": return true
        case _?: throw HTTPError(.badRequest, message: "\(name) is true or false")
        }
    }
}

extension RequestReport {
    /// Without what the workload printed, which is for those who may act.
    fileprivate func withoutOutput() -> RequestReport {
        var report = self
        report.run?.output = nil
        return report
    }
}
