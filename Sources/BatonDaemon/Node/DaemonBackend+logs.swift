// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

extension DaemonBackend {
    func logs(job: String) async throws(ControlError) -> RecentOutput {
        try checkOutput(of: job)
        if let tail = await board.runner(of: job)?.tail() { return RecentOutput(bytes: tail) }
        let elsewhere = await whereElse(job)
        if let tail = await context.runs.lastTail(job: job) {
            return RecentOutput(
                bytes: tail, note: elsewhere.map { "\($0); this is the output of its last run on \(context.name)" })
        }
        throw .failed(
            elsewhere.map { "\($0), and has not run on \(context.name): ask there" }
                ?? "no run of \(job) on this node yet")
    }

    func follow(job: String, lines: Int) async throws(ControlError) -> any FollowedOutput {
        try checkOutput(of: job)
        return OutputFollower(backend: self, job: job, lines: lines)
    }

    /// - Throws: for a job that this node does not know, or whose output does not come by here.
    private func checkOutput(of job: String) throws(ControlError) {
        guard context.board.job(job) != nil else { throw .unknownJob(job) }
        if case .file(let path) = board.loop(of: job)?.output {
            throw .failed("the output of \(job) goes to \(path), on the node that runs it")
        }
    }

    /// `NAME runs on NODE`, if it runs on another node.
    func whereElse(_ job: String) async -> String? {
        guard let holder = await holders(of: [job])[job], holder.node != context.name else { return nil }
        return "\(job) runs on \(holder.node)"
    }
}
