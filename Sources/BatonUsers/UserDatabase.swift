// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A user, looked up: what the kernel needs, and what goes into its environment.
package struct UserRecord: Equatable, Sendable {
    /// The login name.
    package var name: String
    /// The user id.
    package var uid: UInt32
    /// The primary group id.
    package var gid: UInt32
    /// The home directory.
    package var home: String
    /// The login shell; `/bin/sh` when the database names none.
    package var shell: String

    /// A user that no database knows.
    package init(name: String, uid: UInt32, gid: UInt32, home: String, shell: String) {
        self.name = name
        self.uid = uid
        self.gid = gid
        self.home = home
        self.shell = shell
    }
}

extension UserLookupError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknown(let name): "there is no \(name)"
        case .failed(let name, let errno): "\(name) can't be looked up: \(String(cString: strerror(errno)))"
        }
    }
}

/// Why a user or group could not be looked up.
package enum UserLookupError: Error, Equatable, Sendable {
    /// There is no such user or group.
    case unknown(String)
    /// The lookup itself failed, with its errno: a directory service that does not answer, say.
    case failed(String, errno: Int32)
}

/// Users and groups by name or number, from whatever sources the machine is configured for.
///
/// A lookup may take long, where a directory service is asked. It is not for the keeper: NSS can't be linked statically.
package enum UserDatabase {
    /// The user with this name or number.
    package static func user(_ nameOrID: String) throws(UserLookupError) -> UserRecord {
        var entry = passwd()
        let found = try lookUp(nameOrID) { buffer, size, found in
            if let uid = uid_t(nameOrID) {
                var result: UnsafeMutablePointer<passwd>?
                let error = getpwuid_r(uid, &entry, buffer, size, &result)
                found = result != nil
                return error
            }
            var result: UnsafeMutablePointer<passwd>?
            let error = getpwnam_r(nameOrID, &entry, buffer, size, &result)
            found = result != nil
            return error
        } read: {
            let shell = string(entry.pw_shell)
            return UserRecord(
                name: string(entry.pw_name), uid: entry.pw_uid, gid: entry.pw_gid, home: string(entry.pw_dir),
                shell: shell.isEmpty ? "/bin/sh" : shell)
        }
        return found
    }

    /// The number of the group with this name or number. A number needs no entry.
    package static func group(_ nameOrID: String) throws(UserLookupError) -> UInt32 {
        if let gid = gid_t(nameOrID) { return gid }
        var entry = Glibc.group()
        return try lookUp(nameOrID) { buffer, size, found in
            var result: UnsafeMutablePointer<Glibc.group>?
            let error = getgrnam_r(nameOrID, &entry, buffer, size, &result)
            found = result != nil
            return error
        } read: {
            entry.gr_gid
        }
    }

    /// The groups a user is in, `primary` among them: what initgroups would set.
    package static func groups(of user: String, primary: UInt32) -> [UInt32] {
        var room: Int32 = 64
        while true {
            var count = room
            var groups = [gid_t](repeating: 0, count: Int(room))
            if getgrouplist(user, primary, &groups, &count) >= 0 { return Array(groups.prefix(Int(count))) }
            // Told how many there are; some versions say too little, so at least twice as many next time.
            if room > 1 << 16 { return [primary] }
            room = max(count, room * 2)
        }
    }

    private static func lookUp<Found>(
        _ what: String, _ call: (UnsafeMutablePointer<CChar>, Int, inout Bool) -> Int32, read: () -> Found
    ) throws(UserLookupError) -> Found {
        var size = 1024
        while true {
            let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: size)
            defer { buffer.deallocate() }
            var found = false
            let error = call(buffer, size, &found)
            if found { return read() }
            switch error {
            case ERANGE where size < 1 << 20: size *= 2
            case EINTR: continue
            // What "no such entry" looks like differs from source to source.
            case 0, ENOENT, ESRCH, EBADF, EPERM: throw .unknown(what)
            case _: throw .failed(what, errno: error)
            }
        }
    }

    private static func string(_ text: UnsafeMutablePointer<CChar>?) -> String {
        text.map { String(cString: $0) } ?? ""
    }
}
