// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A cgroup v2 directory. Nothing here ever writes `cgroup.subtree_control`.
package struct Cgroup: Equatable, Sendable {
    /// The directory.
    package let path: String

    /// A cgroup that is known by its directory, which need not exist any more.
    package init(path: String) { self.path = path }

    /// The cgroup v2 that this process is in; nil: there is no cgroup v2 here, or it is not visible.
    package static func own() -> Cgroup? {
        guard let cgroup = place(of: "self").flatMap(at), clinux_is_cgroup2(cgroup.path) == 1 else { return nil }
        return cgroup
    }

    /// Where a process is in the hierarchy of cgroups v2, as this process sees it: `/system.slice/batond.service`.
    ///
    /// - Parameter process: its pid, or `self`.
    package static func place(of process: String) -> String? {
        guard let memberships = text("/proc/\(process)/cgroup") else { return nil }
        return memberships.split(separator: "\n").first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) }
    }

    /// The cgroup v2 at a place in the hierarchy, which need not exist; nil: the hierarchy is not visible there.
    ///
    /// On a host with both versions, v2 is mounted somewhere below `/sys/fs/cgroup`: the mount table says where.
    package static func at(_ place: String) -> Cgroup? {
        guard let mounts = text("/proc/self/mountinfo") else { return nil }
        for line in mounts.split(separator: "\n") {
            // ID PARENT DEVICE ROOT MOUNTPOINT OPTIONS [OPTIONAL…] - TYPE SOURCE OPTIONS
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count, fields.count > 4 else { continue }
            guard fields[dash + 1] == "cgroup2" else { continue }
            let root = fields[3] == "/" ? "" : fields[3]
            guard place.hasPrefix(root), clinux_is_cgroup2(String(fields[4])) == 1 else { continue }
            let below = place.dropFirst(root.count)
            return Cgroup(path: String(fields[4]) + (below == "/" ? "" : String(below)))
        }
        return nil
    }

    /// The cgroup that this one is in.
    package var parent: Cgroup? { path.lastIndex(of: "/").map { Cgroup(path: String(path[..<$0])) } }

    /// The cgroup of one run inside this one, made or not.
    package func child(job: String, runID: String) -> Cgroup { Cgroup(path: "\(path)/baton-\(job)-\(runID)") }

    /// Makes the cgroup of one run inside this one. The names are in its name, so that it can't be taken for another's.
    ///
    /// - Throws: what failed: this cgroup is not delegated to us, mostly.
    package func makeChild(job: String, runID: String) throws(SystemError) -> Cgroup {
        let child = child(job: job, runID: runID)
        try succeeded(mkdir(child.path, 0o755), "mkdir \(child.path)")
        // A kernel may let us make it, and nobody enter it.
        if access(child.path + "/cgroup.procs", W_OK) != 0 {
            let reason = errno
            child.remove()
            throw SystemError(errno: reason, operation: "access \(child.path)/cgroup.procs")
        }
        return child
    }

    /// Sends KILL to every process in it and below it, at once. A cgroup that is gone has none.
    package func kill() {
        let file = open(path + "/cgroup.kill", O_WRONLY | O_CLOEXEC)
        if file >= 0 {
            let written = write(file, "1", 1)
            close(file)
            if written == 1 { return }
        }
        // Kernels before 5.14 have no cgroup.kill: one by one then; who calls asks again until it is empty.
        for pid in processes() { _ = Glibc.kill(pid, SIGKILL) }
    }

    /// Whether there is a living process in it or below it. When that can't be read although it exists: yes.
    package var isPopulated: Bool {
        do throws(SystemError) {
            guard let events = try Files.read(path + "/cgroup.events", limit: 4096) else { return false }
            return !String(decoding: events, as: UTF8.self).split(separator: "\n").contains("populated 0")
        } catch {
            return error.errno != ENODEV
        }
    }

    /// The processes in it and below it. One that is gone has none.
    package func processes() -> [Int32] {
        var found: [Int32] = []
        if let listed = Self.text(path + "/cgroup.procs") {
            found = listed.split(separator: "\n").compactMap { Int32($0) }.filter { $0 > 0 }
        }
        for child in children { found += child.processes() }
        return found
    }

    /// Removes it with the cgroups that the workload made in it. True: it is gone; false: somebody is still in it.
    @discardableResult
    package func remove() -> Bool {
        if rmdir(path) == 0 || errno == ENOENT { return true }
        for child in children { child.remove() }
        return rmdir(path) == 0 || errno == ENOENT
    }

    private var children: [Cgroup] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var found: [Cgroup] = []
        while let entry = readdir(folder) {
            guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { found.append(Cgroup(path: path + "/" + name)) }
        }
        return found
    }

    /// A file of the kernel's; one that can't be read is as good as missing here.
    private static func text(_ path: String) -> String? {
        guard let bytes = try? Files.read(path, limit: 4 << 20) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}
