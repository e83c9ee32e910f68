// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import Glibc

/// The directory of one run: `RUNTIME/runs/JOB/RUN_ID`. What lies in it is named by `RunFile`.
package struct RunDirectory: Equatable, Sendable {
    /// The job's name.
    package let job: String
    /// The run's id.
    package let runID: String
    /// The directory.
    package let path: String

    /// A run's directory, whether it exists or not.
    package init(runtime: String, job: String, runID: String) {
        self.job = job
        self.runID = runID
        path = "\(runtime)/runs/\(job)/\(runID)"
    }

    /// Every run that a daemon left behind in a runtime directory, ended or not. None is not an error.
    package static func list(runtime: String) -> [RunDirectory] {
        folders(in: "\(runtime)/runs").flatMap { job in
            folders(in: "\(runtime)/runs/\(job)").map { RunDirectory(runtime: runtime, job: job, runID: $0) }
        }
    }

    /// Where the workload asks whether its lease holds: `BATON_KEEPER_SOCKET`.
    package var heldSocket: String { "\(path)/\(RunFile.held)" }

    /// Where the workload says how it is: its `NOTIFY_SOCKET`; nil: no program could, the path is longer than the address of
    /// a socket may be.
    package var notifySocket: String? {
        let socket = "\(path)/\(RunFile.notify)"
        return socket.utf8.count <= 107 ? socket : nil
    }

    /// Makes it, with the folders above it.
    ///
    /// Others may pass through (0711) but not look: the workload, as its own user, must reach the socket `held`.
    package func create() throws(SystemError) {
        let job = path.prefix(path.count - runID.count - 1)
        let runs = job.prefix(job.count - self.job.count - 1)
        for folder in [String(runs), String(job)] where mkdir(folder, 0o711) != 0 && errno != EEXIST {
            throw SystemError(errno: errno, operation: "mkdir \(folder)")
        }
        try succeeded(mkdir(path, 0o711), "mkdir \(path)")
        try succeeded(chmod(path, 0o711), "chmod \(path)")
    }

    /// Writes the spec, for the owner's eyes only: the environment may hold secrets.
    package func write(_ spec: LaunchSpec) throws(SystemError) {
        try Files.write("\(path)/\(RunFile.spec)", spec.encode())
    }

    /// Reads the spec; nil: there is none, or it is not one that this version understands.
    package func spec() throws(SystemError) -> LaunchSpec? {
        guard let bytes = try Files.read("\(path)/\(RunFile.spec)", limit: LaunchSpec.maximumSize) else { return nil }
        // A half-made directory of a daemon that died is no run: the caller clears it away.
        return try? LaunchSpec(decoding: bytes)
    }

    /// How the run ended; nil: it has not, or nobody could write it down.
    package func status() throws(SystemError) -> RunEnd? {
        guard let bytes = try Files.read("\(path)/\(RunFile.status)", limit: 4096) else { return nil }
        return try? RunEnd(decoding: bytes)  // one of another version tells nothing
    }

    /// The last output of a run that has ended; empty when there is none.
    package func tail() throws(SystemError) -> Bytes {
        try Files.read("\(path)/\(RunFile.tail)", limit: KeeperMessage.maximumSize) ?? []
    }

    /// Writes a file of the daemon's own beside the keeper's.
    package func write(_ name: String, _ contents: Bytes) throws(SystemError) {
        try Files.write("\(path)/\(name)", contents)
    }

    /// Reads a file of the daemon's own; nil: there is none.
    package func read(_ name: String, limit: Int = 64 << 10) throws(SystemError) -> Bytes? {
        try Files.read("\(path)/\(name)", limit: limit)
    }

    /// Removes it with all that is in it; the job's own folder stays, for its flock. One that is gone is not an error.
    package func remove() {
        for name in Files.entries(in: path) { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    private static func folders(in path: String) -> [String] {
        Files.entries(in: path).filter { name in
            var info = stat()
            return lstat("\(path)/\(name)", &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
        }
    }
}
