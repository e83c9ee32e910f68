// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A folder of job files.
struct JobFolder {
    let path: String

    /// What an entry of the folder is.
    struct Entry {
        enum Kind {
            case job
            /// A link to /dev/null: the job of lower folders is not there.
            case mask
            case ignored(String)
        }
        let path: String
        /// The file's stem.
        let job: String
        let kind: Kind
    }

    /// The entries by name. A folder that is not there has none.
    func entries() throws(ConfigProblem) -> [Entry] {
        guard let folder = opendir(path) else {
            if errno == ENOENT { return [] }
            throw unreadable(errno)
        }
        defer { closedir(folder) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        // Half a folder is not taken for the whole of it.
        if errno != 0 { throw unreadable(errno) }
        return names.sorted().map(entry)
    }

    private func unreadable(_ number: Int32) -> ConfigProblem {
        ConfigProblem(file: path, message: "cannot be read: \(String(cString: strerror(number)))")
    }

    private func entry(_ name: String) -> Entry {
        let full = path.hasSuffix("/") ? path + name : "\(path)/\(name)"
        let stem = name.hasSuffix(".toml") ? String(name.dropLast(5)) : name
        if name.hasPrefix(".") { return Entry(path: full, job: stem, kind: .ignored("its name begins with a dot")) }
        if !name.hasSuffix(".toml") {
            return Entry(path: full, job: stem, kind: .ignored("its name does not end in .toml"))
        }
        // Links and special files are jobs that cannot be read: a job of that name below must not run instead.
        return Entry(path: full, job: stem, kind: isMask(full) ? .mask : .job)
    }

    private func isMask(_ path: String) -> Bool {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let base = buffer.baseAddress else { return false }
            let length = readlink(path, base, 63)
            if length < 0 { return false }
            return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self) == "/dev/null"
        }
    }
}
