// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import CLinux
import Glibc

/// Small files: read whole, replaced whole.
package enum Files {
    /// Reads a file that is expected to be small; nil: there is none.
    ///
    /// - Throws: what failed; EFBIG when it is longer than `limit`. A missing file is not an error.
    package static func read(_ path: String, limit: Int) throws(SystemError) -> Bytes? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
        if file < 0 {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw SystemError(errno: errno, operation: "open \(path)")
        }
        defer { close(file) }
        var contents = Bytes()
        var chunk = Bytes(repeating: 0, count: min(limit + 1, 4096))
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            if count < 0 { throw SystemError(errno: errno, operation: "read \(path)") }
            if count == 0 { return contents }
            contents += chunk[..<count]
            if contents.count > limit { throw SystemError(errno: EFBIG, operation: "read \(path)") }
        }
    }

    /// Replaces a file by rename: a reader sees the old contents or the new ones, never half of them.
    ///
    /// It does not survive a power failure unless `durable`: then file and folder are synced, which may block.
    package static func write(
        _ path: String, _ contents: Bytes, mode: UInt32 = 0o600, durable: Bool = false
    ) throws(SystemError) {
        let temporary = path + ".new"
        _ = unlink(temporary)
        let file = try succeeded(
            open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode_t(mode)), "create \(temporary)")
        do throws(SystemError) {
            defer { close(file) }
            try succeeded(fchmod(file, mode_t(mode)), "chmod \(temporary)")
            try writeAll(file, contents, temporary)
            if durable { try succeeded(fsync(file), "sync \(temporary)") }
        } catch {
            _ = unlink(temporary)
            throw error
        }
        try succeeded(rename(temporary, path), "rename \(temporary)")
        if durable { try syncFolder(of: path) }
    }

    /// Makes a folder with those above it; one that is there is fine, if it is a folder.
    package static func makeFolder(_ path: String, mode: UInt32) throws(SystemError) {
        if mkdir(path, mode) == 0 { return }
        if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeFolder(String(path[..<slash]), mode: 0o755)
            try succeeded(mkdir(path, mode), "mkdir \(path)")
            return
        }
        let reason = errno
        var info = stat()
        if reason == EEXIST, stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR { return }
        throw SystemError(errno: reason == EEXIST ? ENOTDIR : reason, operation: "mkdir \(path)")
    }

    /// Lets the members of a group read and write a file, or connect to a socket, beside its owner and, if it may, its own
    /// group; others may not.
    ///
    /// - Throws: what failed; EOPNOTSUPP when the file system has no access control lists.
    package static func admit(group: UInt32, to path: String, owningGroupMay: Bool) throws(SystemError) {
        try checked(clinux_admit_group(path, owningGroupMay ? 1 : 0, group), "set the access control list of \(path)")
    }

    /// Removes a file, if it is there.
    package static func remove(_ path: String) { unlink(path) }

    /// The names in a folder, in order; none if it can't be read.
    package static func entries(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    private static func writeAll(_ file: Int32, _ contents: Bytes, _ path: String) throws(SystemError) {
        var written = 0
        while written < contents.count {
            let count = contents[written...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 { throw SystemError(errno: errno, operation: "write \(path)") }
            written += count
        }
    }

    private static func syncFolder(of path: String) throws(SystemError) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = try succeeded(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open \(folder)")
        defer { close(descriptor) }
        try succeeded(fsync(descriptor), "sync \(folder)")
    }
}

/// Bytes from the kernel's generator, for tokens and ids.
package func randomBytes(_ count: Int) throws(SystemError) -> Bytes {
    var bytes = Bytes(repeating: 0, count: count)
    try checked(clinux_random(&bytes, count), "getrandom")
    return bytes
}
