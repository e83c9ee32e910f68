// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// What every launcher needs, and what this machine allows.
struct LaunchMeans: Sendable {
    /// The keeper's program, as an absolute path without links.
    let keeper: String
    let reactor: Reactor
    /// The limits of open files that this daemon was started with.
    let openFiles: LaunchSpec.Limit
    /// Whether keepers get real-time priority.
    let isRealtime: Bool

    init() throws(StartError) {
        keeper = try LaunchMeans.findKeeper()
        reactor = try StartError.wrapping("the reactor") { try Reactor() }
        openFiles = LaunchMeans.raiseOpenFiles()
        isRealtime = LaunchMeans.mayBeRealtime()
    }

    /// How late a KILL may land here.
    var killLatency: Duration { isRealtime ? .milliseconds(50) : .milliseconds(250) }

    /// What an operator should know of this machine.
    var warnings: [String] {
        if isRealtime { return [] }
        return ["keepers get no real-time priority: leases are 200 ms shorter, for a kill on a busy machine"]
    }

    /// Beside this program, as in a build folder, or where the package installs it.
    private static func findKeeper() throws(StartError) -> String {
        let own = path("/proc/self/exe") ?? ""
        let folder = own.lastIndex(of: "/").map { String(own[..<$0]) } ?? ""
        let places = [
            "\(folder)/baton-keeper", "\(folder)/../libexec/baton/baton-keeper", "/usr/libexec/baton/baton-keeper",
        ]
        for place in places where access(place, X_OK) == 0 {
            if let path = path(place) { return path }
        }
        throw StartError("baton-keeper is not there; looked for it in \(places.joined(separator: ", "))")
    }

    /// Without links and dots, which systemd would not take.
    private static func path(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// As many open files as the hard limit allows for this daemon; workloads get the old limit.
    private static func raiseOpenFiles() -> LaunchSpec.Limit {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let before = LaunchSpec.Limit(.nofile, soft: UInt64(limit.rlim_cur), hard: UInt64(limit.rlim_max))
        limit.rlim_cur = min(limit.rlim_max, 65_536)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return before
    }

    /// Whether a process of ours may have real-time priority: tried on a thread that ends at once.
    private static func mayBeRealtime() -> Bool {
        var thread = pthread_t()
        let created = pthread_create(
            &thread, nil, { _ in UnsafeMutableRawPointer(bitPattern: clinux_become_realtime() == 0 ? 1 : 2) }, nil)
        guard created == 0 else { return false }
        var answer: UnsafeMutableRawPointer?
        pthread_join(thread, &answer)
        return Int(bitPattern: answer) == 1
    }
}
