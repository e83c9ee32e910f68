// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import NIOPosix

/// Has systemd start keepers: each run is a transient unit in `baton.slice`, with the keeper as its main process.
///
/// PID 1 then is a further guard: when the main process is gone, it kills whatever is left in the unit.
struct SystemdLauncher: Launcher {
    let threads = SystemdLauncher.pool
    private let means: LaunchMeans
    /// The unit that this daemon runs in.
    private let ownUnit: String?

    /// A start waits for systemd: many at once must not keep other work from its threads.
    private static let pool: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 8)
        pool.start()
        return pool
    }()

    /// As long as the job waits for its keeper.
    private static let startTime = Duration.seconds(5)
    private static let stopTime = Duration.seconds(2)

    init(_ means: LaunchMeans) {
        self.means = means
        let unit = Cgroup.place(of: "self")?.split(separator: "/").last
        ownUnit = unit.flatMap { $0.hasSuffix(".service") ? String($0) : nil }
    }

    /// That the bus is not there yet is no error: at boot it may be late, and a start that fails is tried again.
    ///
    /// - Throws: what of this machine will not do, today or tomorrow.
    func requireMachine() throws(StartError) {
        let remedy = "set launcher = \"direct\" in [node]"
        if access("/run/systemd/system", F_OK) != 0 {
            throw StartError("launcher = \"systemd\": this machine was not booted with systemd; \(remedy)")
        }
        if unitCgroup("") == nil {
            throw StartError("launcher = \"systemd\": there is no cgroup v2 that systemd keeps its units in; \(remedy)")
        }
    }

    /// Where systemd puts a unit of our slice.
    private func unitCgroup(_ name: String) -> Cgroup? {
        // PID 1 is in `init.scope`, beside its slices.
        let scope = "/init.scope"
        guard let first = Cgroup.place(of: "1"), first.hasSuffix(scope) else { return nil }
        return Cgroup.at("\(first.dropLast(scope.count))/\(UnitName.slice)/\(name)")
    }

    func prepare(_ spec: inout LaunchSpec) throws {
        let unit = UnitName.of(job: spec.job, runID: spec.runID)
        guard let cgroup = unitCgroup(unit) else { throw StartError("there is no cgroup v2 for units here") }
        spec.unit = unit
        spec.cgroup = cgroup.path + "/workload"
    }

    /// Whether there is a unit of the run; its names become the spec's.
    func find(_ spec: inout LaunchSpec) -> Bool {
        var found = spec
        guard (try? prepare(&found)) != nil, let folder = found.cgroup.map(Cgroup.init(path:))?.parent else {
            return false
        }
        if access(folder.path, F_OK) != 0 { return false }
        spec = found
        return true
    }

    func start(_ spec: LaunchSpec, of job: JobDefinition, in directory: RunDirectory) throws -> KeeperLink {
        guard let unit = spec.unit else { throw StartError("the run has no unit") }
        let properties = UnitProperty.ofRun(
            job, spec, keeper: means.keeper, directory: directory.path, before: ownUnit)
        do {
            return try KeeperLink.launch(runID: spec.runID, reactor: means.reactor) { connection in
                let bus = try SystemBus(within: Self.startTime)
                try bus.startUnit(unit, properties, input: connection)
            }
        } catch {
            // Perhaps it is about to be started all the same. The keeper would exit by itself; this spares it the way.
            withdraw(spec)
            throw error
        }
    }

    /// Guard and keeper are in the unit as well: with everybody in its cgroup, the unit ends.
    func end(_ spec: LaunchSpec) -> Bool {
        guard let unit = spec.cgroup.map(Cgroup.init(path:))?.parent else { return true }
        unit.kill()
        return !unit.isPopulated
    }

    func withdraw(_ spec: LaunchSpec) {
        guard let unit = spec.unit else { return }
        // Mostly it is gone already, which is as good.
        try? SystemBus(within: Self.stopTime).stopUnit(unit)
    }
}
