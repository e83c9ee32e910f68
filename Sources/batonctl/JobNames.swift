// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore
import Foundation

/// What a shell offers where a job belongs: the jobs of the daemon that would be asked.
enum JobNames {
    static let completion = CompletionKind.custom { (words: [String], _: Int, _: String) async -> [String] in
        await of(daemonAt: SocketOption.path(socket(in: words)))
    }

    /// Nothing, where nobody answers: a shell in the middle of a line is no place for complaints.
    private static func of(daemonAt socket: String) async -> [String] {
        guard let body = try? await ControlClient(socketPath: socket).get(["status"]),
            let report = try? JSONDecoder().decode(StatusReport.self, from: Data(body))
        else { return [] }
        return report.jobs.map(\.name)
    }

    /// What `--socket` says in an unfinished line.
    private static func socket(in words: [String]) -> String? {
        let flag = "--socket"
        if let joined = words.last(where: { $0.hasPrefix("\(flag)=") }) {
            return String(joined.dropFirst(flag.count + 1))
        }
        return words.lastIndex(of: flag).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
    }
}
