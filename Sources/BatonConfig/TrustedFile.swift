// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Reads files that only root and the daemon's user can have written.
struct TrustedFile {
    /// The daemon's user.
    let user: uid_t

    /// More than this no configuration file has.
    static let largest = 1_048_576

    /// What a file holds, and who may read it.
    struct Contents {
        let bytes: [UInt8]
        /// Permission bits.
        let mode: mode_t
    }

    /// Reads a regular file of at most 1 MB without following a link in its last component, and without blocking.
    func read(_ path: String) throws(ConfigProblem) -> Contents {
        try checkFolders(above: path)
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        if descriptor < 0 {
            let number = errno
            if number == ELOOP { throw ConfigProblem(file: path, message: "is a symbolic link; wanted a regular file") }
            throw ConfigProblem(file: path, message: "cannot be read: \(reason(number))")
        }
        defer { close(descriptor) }
        var found = stat()
        if fstat(descriptor, &found) != 0 {
            throw ConfigProblem(file: path, message: "cannot be read: \(reason(errno))")
        }
        if found.st_mode & S_IFMT != S_IFREG {
            throw ConfigProblem(file: path, message: "is \(kind(found.st_mode)); wanted a regular file")
        }
        if let doubt = doubt(of: path, found, nextIsTrusted: false) { throw doubt }
        if found.st_size > Self.largest {
            throw ConfigProblem(
                file: path, message: "is too large: \(found.st_size) bytes, at most \(Self.largest) are read")
        }
        return Contents(bytes: try readAll(descriptor, path), mode: found.st_mode & 0o7777)
    }

    /// Refuses a folder that others could change, or any above it.
    func checkFolders(above path: String) throws(ConfigProblem) {
        let folder = Self.folder(of: path)
        try checkChain(folder)
        // A link on the way leads elsewhere: that way is checked too.
        guard let resolved = realpath(folder, nil) else { return }
        defer { free(resolved) }
        let target = String(cString: resolved)
        if target != folder { try checkChain(target) }
    }

    private func checkChain(_ folder: String) throws(ConfigProblem) {
        var prefixes = ["/"]
        for part in folder.split(separator: "/") {
            prefixes.append((prefixes.last == "/" ? "/" : (prefixes.last ?? "") + "/") + part)
        }
        if !folder.hasPrefix("/") {
            throw ConfigProblem(file: folder, message: "is not an absolute path")
        }
        var entries: [(String, stat)] = []
        for prefix in prefixes {
            var found = stat()
            // Who opens the file will say what is missing.
            if lstat(prefix, &found) != 0 { break }
            entries.append((prefix, found))
        }
        for (index, entry) in entries.enumerated() {
            let next = index + 1 < entries.count ? entries[index + 1].1 : nil
            // Past the last folder comes the file, whose owner is checked when it is open.
            let nextIsTrusted = next.map { isTrusted($0.st_uid) } ?? true
            if let doubt = doubt(of: entry.0, entry.1, nextIsTrusted: nextIsTrusted) { throw doubt }
        }
    }

    private func doubt(of path: String, _ found: stat, nextIsTrusted: Bool) -> ConfigProblem? {
        let mode = found.st_mode & 0o7777
        let shown = "mode \(octal(mode)), owner \(found.st_uid)"
        if !isTrusted(found.st_uid) {
            return ConfigProblem(
                file: path, message: "belongs to user \(found.st_uid), not to root or the daemon's user (\(shown))")
        }
        // A link's own mode means nothing.
        if found.st_mode & S_IFMT == S_IFLNK { return nil }
        let byGroup = mode & 0o020 != 0 && !isPrivate(found.st_gid)
        if !byGroup && mode & 0o002 == 0 { return nil }
        let isFolder = found.st_mode & S_IFMT == S_IFDIR
        if isFolder && mode & 0o1000 != 0 && nextIsTrusted { return nil }
        return ConfigProblem(
            file: path, message: "can be written by others than root and the daemon's user (\(shown))")
    }

    private func isTrusted(_ owner: uid_t) -> Bool { owner == 0 || owner == user }

    private func isPrivate(_ group: gid_t) -> Bool {
        PrivateGroup.matches(group, of: user) || (user != 0 && PrivateGroup.matches(group, of: 0))
    }

    private func readAll(_ descriptor: Int32, _ path: String) throws(ConfigProblem) -> [UInt8] {
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return result }
            if count < 0 {
                if errno == EINTR { continue }
                throw ConfigProblem(file: path, message: "cannot be read: \(reason(errno))")
            }
            result += buffer[..<count]
            if result.count > Self.largest {
                throw ConfigProblem(file: path, message: "is too large: more than \(Self.largest) bytes")
            }
        }
    }

    /// The folder a path lies in.
    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private func octal(_ mode: mode_t) -> String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private func reason(_ number: Int32) -> String { String(cString: strerror(number)) }

    private func kind(_ mode: mode_t) -> String {
        switch mode & S_IFMT {
        case S_IFDIR: return "a folder"
        case S_IFIFO: return "a FIFO"
        case S_IFSOCK: return "a socket"
        case S_IFCHR, S_IFBLK: return "a device"
        default: return "a special file"
        }
    }
}
