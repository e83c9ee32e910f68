// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonUsers
import Glibc

/// Groups that are as good as their one user.
enum PrivateGroup {
    /// Whether nobody but `user` and root is in a group: it is the user's own, of the same name, as Debian makes it.
    static func matches(_ groupID: gid_t, of user: uid_t) -> Bool {
        // A user without a name has no group of that name.
        guard let userName = try? UserDatabase.user("\(user)").name else { return false }
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

    private static func withBuffer<Result>(_ body: (UnsafeMutablePointer<CChar>, Int) -> Result?) -> Result? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 65536) { buffer in
            buffer.baseAddress.flatMap { body($0, buffer.count) }
        }
    }
}
