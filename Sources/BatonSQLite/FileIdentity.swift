// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Which file a path names: a copy, a restored backup, or a new file in its place is another one.
///
/// As long as any process has the old file open, its number is not given to another.
struct FileIdentity: Equatable, CustomStringConvertible {
    private let device: UInt64
    private let inode: UInt64

    /// The file at `path`; nil when there is none, or it cannot be looked at.
    init?(path: String) {
        var found = stat()
        guard stat(path, &found) == 0 else { return nil }
        device = UInt64(found.st_dev)
        inode = UInt64(found.st_ino)
    }

    /// What the epoch record keeps. Without the device: its number may change with a reboot.
    var description: String { String(inode) }

    /// `MAJOR:MINOR`, as `/proc/self/mountinfo` has it.
    var deviceName: String {
        let major = (device >> 8) & 0xFFF | (device >> 32) & ~0xFFF
        let minor = device & 0xFF | (device >> 12) & ~0xFF
        return "\(major):\(minor)"
    }
}
