// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Users and groups by name, as the machine's name services know them. May block: they may ask a server.
enum UserDatabase {
    struct User: Sendable {
        var name: String
        var uid: UInt32
        var gid: UInt32
        var home: String
        var shell: String
    }

    struct Unknown: Error, CustomStringConvertible {
        let description: String
    }

    /// A user by name or number.
    static func user(_ text: String) throws(Unknown) -> User {
        if let found = entry({ getpwnam_r(text, $0, $1, $2, $3) }) { return found }
        if let uid = UInt32(text) { return user(id: uid) }
        throw Unknown(description: "there is no user \(text)")
    }

    /// A user by number; one that has no name is still a user.
    static func user(id: UInt32) -> User {
        entry { getpwuid_r(id, $0, $1, $2, $3) }
            ?? User(name: "\(id)", uid: id, gid: id, home: "/", shell: "/bin/sh")
    }

    /// A group's number, by name or number.
    static func group(_ text: String) throws(Unknown) -> UInt32 {
        var entry = Glibc.group()
        var result: UnsafeMutablePointer<Glibc.group>?
        var buffer = [CChar](repeating: 0, count: 1 << 16)
        if getgrnam_r(text, &entry, &buffer, buffer.count, &result) == 0, result != nil { return entry.gr_gid }
        if let gid = UInt32(text) { return gid }
        throw Unknown(description: "there is no group \(text)")
    }

    /// The supplementary groups, the primary one included.
    static func groups(of user: User, primary: UInt32) -> [UInt32] {
        var count: Int32 = 1024
        var groups = [gid_t](repeating: 0, count: Int(count))
        guard getgrouplist(user.name, primary, &groups, &count) >= 0 else { return [primary] }
        return Array(groups.prefix(Int(count)))
    }

    private static func entry(
        _ find: (
            UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
            UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
        ) -> Int32
    ) -> User? {
        var entry = passwd()
        var result: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 1 << 14)
        return buffer.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, find(&entry, base, buffer.count, &result) == 0, result != nil else {
                return nil
            }
            return User(
                name: String(cString: entry.pw_name), uid: entry.pw_uid, gid: entry.pw_gid,
                home: String(cString: entry.pw_dir), shell: String(cString: entry.pw_shell))
        }
    }
}
