// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The table `[notify]`.
extension JobDecoder {
    /// - Parameters:
    ///   - root: the job's file with the node's defaults below it, or the defaults alone.
    ///   - isJob: false: the defaults, which may leave the command to the jobs.
    func decodeNotify(_ reader: inout TableReader, _ job: inout JobDefinition, of root: ConfigNode, isJob: Bool) {
        let isScheduled = job.schedule != nil
        // Defaults may say of what, and leave it to the jobs who is told.
        let isOwn = reader.peek("notify")?.source === root.source
        var notify: NotifySettings?
        reader.table("notify") { reader in
            var reasons = Set(NotifySettings.Reason.allCases)
            if let (words, node) = reader.strings("on") {
                for word in words where NotifySettings.Reason(rawValue: word) == nil {
                    let wanted = TableReader.list(NotifySettings.Reason.self)
                    reader.reject(node, "'\(word)' is nothing to be told of; wanted some of \(wanted)")
                }
                reasons = Set(words.compactMap(NotifySettings.Reason.init(rawValue:)))
                // Defaults are for jobs of all kinds.
                if isJob, !isScheduled, reasons.contains(.missed), node.source === root.source {
                    reader.reject(
                        node, "'missed' is for a job that has schedule or every: without them it has no ticks")
                }
            }
            let command = decodeCommand(
                &reader, of: root, needsCommand: isJob && isOwn && !reasons.isEmpty, owner: "[notify]")
            // `on = []`: unlike the other jobs of the node.
            if let command, !reasons.isEmpty { notify = NotifySettings(command: command, reasons: reasons) }
        }
        job.notify = notify
    }
}
