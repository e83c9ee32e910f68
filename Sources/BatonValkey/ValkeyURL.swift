// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock

/// Takes a store's URL apart. Errors never quote it: it may hold a password.
struct ValkeyURL {
    let configuration: ValkeyStore.Configuration

    init(_ url: String) throws(LockError) {
        guard let mark = url.firstRange(of: "://") else {
            throw Self.invalid("it has no scheme (valkey://, unix://, …)")
        }
        let scheme = String(url[..<mark.lowerBound])
        let rest = url[mark.upperBound...]
        configuration =
            switch scheme {
            case "valkey", "redis": try Self.tcp(rest, tls: false)
            case "valkeys", "rediss": try Self.tcp(rest, tls: true)
            case "unix": try Self.unixSocket(rest)
            default: throw Self.invalid("the scheme is none of valkey, valkeys, redis, rediss, unix")
            }
    }

    private static func tcp(_ text: Substring, tls: Bool) throws(LockError) -> ValkeyStore.Configuration {
        guard !text.contains("?"), !text.contains("#") else { throw invalid("it has a query or a fragment") }
        let slash = text.firstIndex(of: "/") ?? text.endIndex
        var authority = text[..<slash]
        let path = text[slash...].dropFirst()

        // The last @: a password may hold one.
        var credentials: Substring?
        if let at = authority.lastIndex(of: "@") {
            credentials = authority[..<at]
            authority = authority[authority.index(after: at)...]
        }
        let host: Substring
        let port: Substring
        if authority.first == "[" {
            guard let close = authority.firstIndex(of: "]") else { throw invalid("a bracket is not closed") }
            host = authority[..<close].dropFirst()
            port = authority[close...].dropFirst()
        } else {
            host = authority.prefix { $0 != ":" }
            port = authority[host.endIndex...]
        }
        guard !host.isEmpty else { throw invalid("it has no host") }
        guard port.isEmpty || port.first == ":" else { throw invalid("its host is followed by something unexpected") }
        let number = port.isEmpty ? 6379 : Int(port.dropFirst())
        guard let number, (1...65535).contains(number) else { throw invalid("its port is not one") }

        var configuration = ValkeyStore.Configuration(address: .tcp(host: try decoded(host), port: number))
        configuration.tls = tls
        configuration.database = try database(path)
        if let credentials {
            let user = credentials.prefix { $0 != ":" }
            configuration.username = user.isEmpty ? nil : try decoded(user)
            if user.endIndex != credentials.endIndex {
                configuration.password = try decoded(credentials[user.endIndex...].dropFirst())
            }
        }
        return configuration
    }

    private static func unixSocket(_ text: Substring) throws(LockError) -> ValkeyStore.Configuration {
        let path = text.prefix { $0 != "?" }
        guard path.first == "/" else { throw invalid("the path of its socket does not start with a slash") }
        var configuration = ValkeyStore.Configuration(address: .unixSocket(path: try decoded(path)))
        let query = text[path.endIndex...].dropFirst()
        if !query.isEmpty {
            guard query.hasPrefix("db=") else { throw invalid("its query is not db=NUMBER") }
            configuration.database = try database(query.dropFirst(3))
        }
        return configuration
    }

    private static func database(_ text: Substring) throws(LockError) -> Int {
        if text.isEmpty { return 0 }
        guard let number = Int(text), number >= 0 else { throw invalid("its database is not a number") }
        return number
    }

    /// Undoes percent encoding.
    private static func decoded(_ text: Substring) throws(LockError) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                throw invalid("a % in it is not followed by two hexadecimal digits")
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else { throw invalid("it is not UTF-8") }
        return decoded
    }

    private static func invalid(_ reason: String) -> LockError {
        LockError(.invalidArgument, "this is not the URL of a store: \(reason)")
    }
}
