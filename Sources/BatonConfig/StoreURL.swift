// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The `store.url`: where the store is, and as whom.
struct StoreURL: Equatable {
    var location = StoreSettings.Location.sqlite(path: "")
    var database = 0
    var username: String?
    var password: Secret?

    /// Why a URL cannot be used. Never holds the URL itself: there may be a password in it.
    struct Failure: Error, Equatable {
        let reason: String
        var isPlanned = false
    }

    private static let planned = ["sentinel", "cluster", "quorum"]

    init(_ text: String) throws(Failure) {
        guard let colon = text.firstRange(of: "://") else {
            throw Failure(reason: "is not a URL; wanted one such as \"valkey://127.0.0.1:6379\" or \"sqlite:///path\"")
        }
        let scheme = text[..<colon.lowerBound].lowercased()
        let rest = text[colon.upperBound...]
        if rest.contains(where: { $0 == "?" || $0 == "#" }) {
            throw Failure(reason: "has a '?' or '#', which means nothing here")
        }
        switch scheme {
        case "valkey", "redis": try readServer(rest, tls: false)
        case "valkeys", "rediss": try readServer(rest, tls: true)
        case "unix": location = .unixSocket(path: try Self.path(rest, scheme))
        case "sqlite": location = .sqlite(path: try Self.path(rest, scheme))
        default:
            let parts = scheme.split(separator: "+")
            if parts.count == 2, Self.planned.contains(String(parts[1])) {
                throw Failure(reason: "\(scheme):// is not supported by this version of Baton yet", isPlanned: true)
            }
            throw Failure(
                reason: "has the unknown scheme \(scheme)://; wanted valkey://, valkeys://, unix:// or sqlite://")
        }
    }

    private mutating func readServer(_ rest: Substring, tls: Bool) throws(Failure) {
        var rest = rest
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let user = try Self.decoded(parts[0])
            username = user.isEmpty ? nil : user
            if parts.count == 2 {
                let word = try Self.decoded(parts[1])
                if word.isEmpty { throw Failure(reason: "has an empty password") }
                password = Secret(word)
            }
            rest = rest[rest.index(after: at)...]
        }
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, !parts[1].isEmpty {
            guard let number = Int(parts[1]), (0..<1_000_000).contains(number) else {
                throw Failure(reason: "ends in a path that is not a database number, such as /0")
            }
            database = number
        }
        let (host, port) = try Self.hostAndPort(parts[0])
        location = .tcp(host: host, port: port, tls: tls)
    }

    private static func hostAndPort(_ text: Substring) throws(Failure) -> (String, Int) {
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw Failure(reason: "has a '[' without a ']'") }
            host = text[text.index(after: text.startIndex)..<end]
            if !host.contains(":") || !host.allSatisfy({ $0.isLetter || $0.isNumber || ":.%-".contains($0) }) {
                throw Failure(reason: "has something other than an IPv6 address between '[' and ']'")
            }
            let rest = text[text.index(after: end)...]
            if !rest.isEmpty {
                if !rest.hasPrefix(":") { throw Failure(reason: "has something other than a port after the ']'") }
                port = rest.dropFirst()
            }
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            if host.contains(":") { throw Failure(reason: "has an IPv6 address without [ ] around it") }
        }
        if host.isEmpty { throw Failure(reason: "has no host") }
        if host.contains(where: { $0.isWhitespace || !$0.isASCII || "[]".contains($0) }) {
            throw Failure(reason: "has a host with a character that no host name has")
        }
        guard let port else { return (String(host), 6379) }
        guard let number = Int(port), (1...65535).contains(number) else {
            throw Failure(reason: "has a port that is not a number from 1 to 65535")
        }
        return (String(host), number)
    }

    private static func path(_ text: Substring, _ scheme: String) throws(Failure) -> String {
        if !text.hasPrefix("/") { throw Failure(reason: "lacks an absolute path; wanted \(scheme):///path") }
        if text.hasSuffix("/") { throw Failure(reason: "ends in '/'; wanted the path of a file") }
        return String(text)
    }

    /// With `%40` and the like as the characters that they stand for.
    private static func decoded(_ text: Substring) throws(Failure) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16), value != 0 else {
                throw Failure(reason: "has a '%' that is not followed by two hexadecimal digits")
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let result = String(validating: bytes, as: UTF8.self) else {
            throw Failure(reason: "has a user or password that is not valid UTF-8")
        }
        return result
    }
}
