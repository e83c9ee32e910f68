// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import Glibc

/// A stand-in for journald: a datagram socket, read only when the test wants to.
package struct FakeJournal: Sendable {
    /// Where it listens.
    package let path: String
    private let descriptor: Int32

    /// What one entry says, by the rules of the native protocol.
    package typealias Entry = [String: Bytes]

    /// What is no entry, or could not be made.
    package struct Failure: Error {
        package var reason: String
    }

    /// Runs `body` with a journal that is gone afterwards.
    package static func open<Result>(
        at path: String = "/tmp/baton-journal-\(UInt32.random(in: 0 ... .max))",
        _ body: (FakeJournal) async throws -> Result
    ) async throws -> Result {
        let fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer {
            close(fd)
            unlink(path)
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if bound != 0 { throw Failure(reason: "bind \(path): errno \(errno)") }
        return try await body(FakeJournal(path: path, descriptor: fd))
    }

    /// The entries that are there, undecoded.
    package func receive() -> [Bytes] {
        var entries: [Bytes] = []
        var buffer = Bytes(repeating: 0, count: 256 << 10)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count <= 0 { return entries }
            entries.append(Bytes(buffer[..<count]))
        }
    }

    /// The fields of an entry. A field that comes twice, or is cut, is a mistake of who sent it.
    package static func fields(_ entry: Bytes) throws -> Entry {
        var fields: Entry = [:]
        var rest = entry[...]
        while !rest.isEmpty {
            guard let end = rest.firstIndex(of: 10) else { throw Failure(reason: "a field has no end") }
            var value: Bytes
            let name: ArraySlice<UInt8>
            if let equals = rest[..<end].firstIndex(of: UInt8(ascii: "=")) {
                (name, value) = (rest[..<equals], Bytes(rest[(equals + 1)..<end]))
                rest = rest[(end + 1)...]
            } else {
                name = rest[..<end]
                let size = rest[(end + 1)...].prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
                value = Bytes(rest[(end + 9)...].prefix(size))
                guard rest[(end + 9)...].count > size, rest[end + 9 + size] == 10 else {
                    throw Failure(reason: "a field is not as long as it says")
                }
                rest = rest[(end + 10 + size)...]
            }
            let key = String(decoding: name, as: UTF8.self)
            if fields.keys.contains(key) { throw Failure(reason: "\(key) comes twice") }
            fields[key] = value
        }
        return fields
    }
}

extension [String: Bytes] {
    /// A field as text.
    package func text(_ name: String) -> String? { self[name].map { String(decoding: $0, as: UTF8.self) } }
}
