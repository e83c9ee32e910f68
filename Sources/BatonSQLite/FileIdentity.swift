// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Which file a path names: a copy, a restored backup, or a new file in its place is another one.
///
/// As long as any process has the old file open, its number is not given to another.
struct FileIdentity: Equatable, CustomStringConvertible {
    /// `MAJOR:MINOR`, as `/proc/self/mountinfo` has it.
    var deviceName: String { "\(major):\(minor)" }

    private let major: UInt32
    private let minor: UInt32
    private let inode: UInt64

    /// The file at `path`; nil when there is none, or it cannot be looked at.
    init?(path: String) {
        self.init(AT_FDCWD, path)
    }

    /// An open file; nil when it cannot be looked at.
    init?(descriptor: Int32) {
        self.init(descriptor, "")
    }

    private init?(_ descriptor: Int32, _ path: String) {
        var found = clinux_file()
        guard clinux_identify(descriptor, path, &found) == 0 else { return nil }
        (major, minor, inode) = (found.major, found.minor, found.inode)
    }

    /// What the epoch record keeps. Without the device: its number may change with a reboot.
    var description: String { String(inode) }
}
