// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import Glibc
import Synchronization

/// The time zones of the system, which its tzdata keeps up to date.
///
/// A zone is read when it is asked for, and again when its file is another one: what the system has learned counts
/// without a new Baton. The variable TZDIR is not heeded: nodes of a fleet must not differ by what somebody had in an
/// environment.
package final class TimeZoneFolder: Sendable {
    /// Where every distribution has them.
    package static let system = TimeZoneFolder(path: "/usr/share/zoneinfo")

    private let path: String
    /// What has been read: thousands of jobs in one zone share its rules.
    private let known = Mutex<[String: Entry]>([:])

    private struct Entry {
        var identity: Identity
        var rules: TimeZoneRules
    }

    /// Which file it is, and which contents of it.
    private struct Identity: Equatable {
        var device: UInt64
        var number: UInt64
        var size: Int64
        var seconds: Int
        var nanoseconds: Int

        init?(_ path: String) {
            var info = stat()
            guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
            device = UInt64(info.st_dev)
            number = UInt64(info.st_ino)
            size = Int64(info.st_size)
            seconds = info.st_mtim.tv_sec
            nanoseconds = info.st_mtim.tv_nsec
        }
    }

    /// The zones of another folder.
    package init(path: String) { self.path = path }

    /// The rules of a zone, as they are now. UTC is there on every system.
    package func rules(of name: String) throws(TimeZoneError) -> TimeZoneRules {
        if name == TimeZoneRules.utc.name { return .utc }
        if let problem = TimeZoneRules.problem(ofName: name) { throw TimeZoneError(reason: problem) }
        let file = "\(path)/\(name)"
        // Before it is read: a file that is replaced meanwhile is read again the next time.
        guard let identity = Identity(file) else {
            let hint = access(path, F_OK) == 0 ? "" : ", which is not there; is tzdata installed?"
            throw TimeZoneError(reason: "there is no time zone '\(name)' in \(path)\(hint)")
        }
        if let entry = known.withLock({ $0[name] }), entry.identity == identity { return entry.rules }
        let rules = try read(file, name)
        known.withLock { $0[name] = Entry(identity: identity, rules: rules) }
        return rules
    }

    /// The names of all that may be zones, for hints: there are files of other kinds among them.
    package func names() -> Set<String> {
        var found: Set<String> = []
        var folders = [""]
        while let folder = folders.popLast() {
            for entry in Files.entries(in: "\(path)/\(folder)") {
                let name = folder + entry
                if TimeZoneRules.problem(ofName: name) != nil || name.hasPrefix("right/") { continue }
                if Identity("\(path)/\(name)") != nil { found.insert(name) }
                // No zone is deeper than America/Argentina/Buenos_Aires; a link could lead in circles.
                if folder.split(separator: "/").count < 2 { folders.append(name + "/") }
            }
        }
        return found
    }

    private func read(_ file: String, _ name: String) throws(TimeZoneError) -> TimeZoneRules {
        let contents: Bytes
        do {
            contents = try Files.read(file, limit: 1 << 20) ?? []
        } catch {
            throw TimeZoneError(reason: "\(file) cannot be read: \(error)")
        }
        do {
            return try TimeZoneRules(name: name, file: contents)
        } catch {
            throw TimeZoneError(reason: "\(file) \(error.reason)")
        }
    }
}
