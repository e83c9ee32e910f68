// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Finds out whether a file lies where other machines reach it: there, their leases would look like void ones.
enum NetworkFileSystem {
    private static let names: Set<String> = [
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "gfs2", "ocfs2", "lustre", "afs", "gpfs", "beegfs",
        "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.davfs",
    ]

    /// The network file system's name, or nil when the file is on a local one, or nobody can tell.
    static func name(of file: FileIdentity) -> String? {
        guard let mounts = fopen("/proc/self/mountinfo", "re") else { return nil }
        defer { fclose(mounts) }
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, mounts) > 0 {
            guard let line else { return nil }
            // 36 35 98:0 /root /mount/point options... - TYPE source options
            let fields = String(cString: line).split(separator: " ")
            guard fields.count > 3, fields[2] == file.deviceName else { continue }
            guard let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
            let type = String(fields[dash + 1])
            return names.contains(type) ? type : nil
        }
        return nil
    }
}
