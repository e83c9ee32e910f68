// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import NIOPosix

/// Starts keepers as children of this daemon, each run in a cgroup of its own where the machine allows it.
struct DirectLauncher: Launcher {
    let threads = NIOThreadPool.singleton
    private let means: LaunchMeans
    /// This daemon's own, if it may make others in it.
    private let cgroup: Cgroup?

    init(_ means: LaunchMeans) {
        self.means = means
        var own = Cgroup.own()
        if let candidate = own {
            do {
                try candidate.makeChild(job: "probe", runID: "\(getpid())").remove()
            } catch {
                own = nil
            }
        }
        cgroup = own
    }

    /// What an operator should know of this machine, when runs are started so.
    var warnings: [String] {
        if cgroup != nil { return [] }
        return [
            "no cgroup of its own: processes that leave their session are found by their environment, as best effort"
        ]
    }

    /// The cgroup of a run whose spec can't be read.
    func cgroup(ofRun runID: String, job: String) -> Cgroup? { cgroup?.child(job: job, runID: runID) }

    func prepare(_ spec: inout LaunchSpec) throws {
        spec.cgroup = try cgroup?.makeChild(job: spec.job, runID: spec.runID).path
    }

    func start(_ spec: LaunchSpec, of job: JobDefinition, in directory: RunDirectory) throws -> KeeperLink {
        try KeeperLink.launch(in: directory, keeper: means.keeper, reactor: means.reactor)
    }

    /// Guard and keeper are in the daemon's own cgroup: what else is there is none of the run's.
    func end(_ spec: LaunchSpec) -> Bool { true }

    func withdraw(_ spec: LaunchSpec) {}
}
