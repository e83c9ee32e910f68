// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Looks users and groups up in the system's databases.
enum Account {
    /// The user id of a name or number; nil when there is no such user.
    static func userID(_ text: String) -> uid_t? {
        withBuffer { buffer, size in
            var entry = passwd()
            var result: UnsafeMutablePointer<passwd>?
            if let number = uid_t(text) {
                getpwuid_r(number, &entry, buffer, size, &result)
            } else {
                getpwnam_r(text, &entry, buffer, size, &result)
            }
            return result?.pointee.pw_uid
        }
    }

    /// The group id of a name or number; nil when there is no such group.
    static func groupID(_ text: String) -> gid_t? {
        withBuffer { buffer, size in
            var entry = group()
            var result: UnsafeMutablePointer<group>?
            if let number = gid_t(text) {
                getgrgid_r(number, &entry, buffer, size, &result)
            } else {
                getgrnam_r(text, &entry, buffer, size, &result)
            }
            return result?.pointee.gr_gid
        }
    }

    /// Whether nobody but `user` and root is in a group: it is the user's own, of the same name, as Debian makes it.
    static func isPrivate(_ groupID: gid_t, of user: uid_t) -> Bool {
        guard let userName = name(of: user) else { return false }
        return withBuffer { buffer, size in
            var entry = group()
            var result: UnsafeMutablePointer<group>?
            getgrgid_r(groupID, &entry, buffer, size, &result)
            guard let found = result?.pointee, String(cString: found.gr_name) == userName else { return false }
            var member = found.gr_mem
            while let pointer = member?.pointee {
                let name = String(cString: pointer)
                if name != userName, name != "root" { return false }
                member = member?.successor()
            }
            return true
        } ?? false
    }

    private static func name(of user: uid_t) -> String? {
        withBuffer { buffer, size in
            var entry = passwd()
            var result: UnsafeMutablePointer<passwd>?
            getpwuid_r(user, &entry, buffer, size, &result)
            return result.map { String(cString: $0.pointee.pw_name) }
        }
    }

    private static func withBuffer<Result>(_ body: (UnsafeMutablePointer<CChar>, Int) -> Result?) -> Result? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 65536) { buffer in
            buffer.baseAddress.flatMap { body($0, buffer.count) }
        }
    }
}
