// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

extension LaunchSpec {
    /// A command of `[notify]`: as the job's workload, with what it is to tell of.
    ///
    /// - Parameter openFiles: the limit that a job without one of its own has.
    /// - Throws: `StartError` for an unknown user, or an environment file that can't be read.
    init(
        notice event: NodeEvent, of job: JobDefinition, by command: JobDefinition.Command, openFiles: Limit
    ) throws(StartError) {
        var notice = job
        notice.command = command
        // There is no run.
        let record = LeaseRecord(token: [], fence: 0, timeout: job.lock.timeout)
        try self.init(notice, runID: "", record: record, node: event.node)
        // Not the id of the run that the event is about: who bears it is killed as what was left of that run.
        environment.removeAll { $0.hasPrefix("BATON_") }
        environment += ["BATON_JOB=\(job.name)", "BATON_NODE=\(event.node)", "BATON_EVENT=\(event.event)"]
        if !limits.contains(where: { $0.resource == openFiles.resource }) { limits.append(openFiles) }
    }
}
