// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import Hummingbird
import Logging

/// The requests that the control socket answers, each one call of the backend.
///
///     GET  /v1/status            the node and its jobs
///     GET  /v1/status/JOB        the node and one job
///     GET  /v1/jobs/JOB/logs     the tail of its output, as bytes; for those who may act
///     GET  /v1/jobs/JOB/logs/follow?lines=N      the last lines, and what comes from then on; likewise
///     POST /v1/jobs/JOB/stop     stop it and hold it down, fleet-wide; one with a schedule: its run
///     POST /v1/jobs/JOB/pause?milliseconds=N     have nothing new started, for ever or for so long
///     POST /v1/jobs/JOB/resume   end a pause
///     POST /v1/jobs/JOB/run      let it run again; a scheduled job: now. With wait=true an error unless that has an end
///
/// GET needs the right to look, everything else the right to act, unless a handler asks the gate for more.
struct ControlRoutes {
    let backend: any ControlBackend
    let gate: ControlGate
    let logger: Logger

    private struct Done: Encodable {
        var job: String
        var done: String
        /// The request that the act led to.
        var request: Int64?

        init(job: String, done: String, request: Int64? = nil) {
            (self.job, self.done, self.request) = (job, done, request)
        }
    }

    /// No request has a body that means anything; more than this is refused instead of read.
    static let bodyLimit = 4096
    /// A hundred years.
    private static let longestPause = 36525 * 86_400_000

    func router() -> Router<ControlContext> {
        let router = Router(context: ControlContext.self)
        router.addMiddleware {
            ErrorMiddleware(logger: logger)
            AccessMiddleware(gate: gate)
        }
        router.get("v1/status") { _, _ in
            try ControlAnswer.json(try await backend.status(job: nil))
        }
        router.get("v1/status/:job") { _, context in
            try ControlAnswer.json(try await backend.status(job: try Self.job(context)))
        }
        router.get("v1/jobs/:job/logs") { request, context in
            try gate.admit(context.peer, needing: .act, to: request)
            return ControlAnswer.output(try await backend.logs(job: try Self.job(context)))
        }
        router.get("v1/jobs/:job/logs/follow") { request, context in
            try gate.admit(context.peer, needing: .act, to: request)
            let lines = request.uri.queryParameters["lines"].map { Int($0) ?? -1 } ?? Int.max
            guard lines >= 0 else { throw HTTPError(.badRequest, message: "lines is not a number of lines") }
            return ControlAnswer.frames(of: try await backend.follow(job: try Self.job(context), lines: lines))
        }
        router.post("v1/jobs/:job/stop") { request, context in
            try await act("stop", request, context) { job throws(ControlError) in try await backend.stop(job: job) }
        }
        router.post("v1/jobs/:job/pause") { request, context in
            let time = try request.number("milliseconds", in: 1...Self.longestPause)
            return try await act("pause", request, context) { job throws(ControlError) in
                try await backend.pause(job: job, for: time.map { .milliseconds($0) })
                return Done(job: job, done: "pause")
            }
        }
        router.post("v1/jobs/:job/resume") { request, context in
            try await act("resume", request, context) { job throws(ControlError) in
                try await backend.resume(job: job)
                return Done(job: job, done: "resume")
            }
        }
        router.post("v1/jobs/:job/run") { request, context in
            let isWaiting = try request.flag("wait")
            return try await act("run", request, context) { job throws(ControlError) in
                Done(job: job, done: "run", request: try await backend.run(job: job, endsWanted: isWaiting))
            }
        }
        addReload(to: router)
        addReexec(to: router)
        addNodes(to: router)
        addLedger(to: router)
        addEvents(to: router)
        return router
    }

    /// Carries out an act and leaves a trace of who asked for it.
    private func act<Answer: Encodable>(
        _ name: String, _ request: Request, _ context: ControlContext,
        perform: (String) async throws(ControlError) -> Answer
    ) async throws -> Response {
        let job = try Self.job(context)
        _ = try await request.body.collect(upTo: Self.bodyLimit)
        var metadata = context.peer?.metadata ?? [:]
        metadata["act"] = "\(name)"
        metadata["job"] = "\(job)"
        let answer: Answer
        do {
            answer = try await perform(job)
        } catch {
            metadata["reason"] = "\(error)"
            logger.log(level: .warning, "operator's request failed", event: .operatorFailed, metadata: metadata)
            throw error
        }
        logger.log(level: .notice, "operator's request carried out", event: .operatorActed, metadata: metadata)
        return try ControlAnswer.json(answer)
    }

    /// The job that the path names. Whether there is one is the backend's to say; a job file with a bad name is shown
    /// as invalid under that name, so this only refuses what cannot be the name of a file.
    static func job(_ context: ControlContext) throws -> String {
        try name(context.parameters.require("job"))
    }

    static func name(_ raw: some StringProtocol) throws -> String {
        guard let name = raw.removingPercentEncoding, (1...255).contains(name.utf8.count), !name.contains("/"),
            PrintableText.escaped(name) == name
        else {
            throw HTTPError(.badRequest, message: "this is not the name of a job")
        }
        return name
    }
}
