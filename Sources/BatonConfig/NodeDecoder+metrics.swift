// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc

/// `[metrics]`: where a node's metrics can be had.
extension NodeDecoder {
    func decodeMetrics(_ reader: inout TableReader, _ metrics: inout MetricsSettings) {
        if let (text, node) = reader.string("listen") {
            do {
                metrics.listen = try MetricsAddress(text)
            } catch {
                reader.reject(node, error.reason)
            }
        }
        if let (path, node) = reader.string("textfile") {
            if let reason = Self.problem(ofTextfile: path) {
                reader.reject(node, reason)
            } else if access(TrustedFile.folder(of: path), F_OK) != 0 {
                reader.warn(node, "the folder \(TrustedFile.folder(of: path)) does not exist")
            }
            metrics.textfile = path
        }
    }

    private static func problem(ofTextfile path: String) -> String? {
        if !path.hasPrefix("/") { return "'\(path)' is not an absolute path" }
        if path.utf8.contains(0) { return "has a NUL in it" }
        // The node exporter reads no others, and a file called .prom would have no name.
        if !path.hasSuffix(".prom") || path.hasSuffix("/.prom") {
            return "'\(path)' is not read by a node exporter; wanted a path that ends in a name such as baton.prom"
        }
        return nil
    }
}

extension MetricsAddress {
    /// Why a text is no address.
    struct Failure: Error, Equatable {
        let reason: String
    }

    /// With the ending that a socket has before it is in its place, its path has to fit into an address.
    static let longestPath = 107 - temporarySuffix.utf8.count

    /// `IPV4:PORT`, `[IPV6]:PORT` or `unix:PATH`.
    init(_ text: String) throws(Failure) {
        if text.hasPrefix("unix:") {
            self = .unixSocket(path: try Self.path(String(text.dropFirst("unix:".count))))
            return
        }
        guard let colon = text.lastIndex(of: ":"), text[colon...].wholeMatch(of: /:[0-9]+/) != nil else {
            throw Failure(reason: "'\(text)' has no port; wanted one such as \"127.0.0.1:9460\", or \"unix:/path\"")
        }
        guard let port = Int(text[text.index(after: colon)...]), (1...65535).contains(port) else {
            throw Failure(reason: "'\(text)' has a port that is not a number from 1 to 65535")
        }
        self = .tcp(host: try Self.host(text[..<colon], in: text), port: port)
    }

    private static func path(_ path: String) throws(Failure) -> String {
        if path.hasPrefix("//") {
            throw Failure(reason: "'unix:\(path)' has slashes that are of a URL; wanted unix: and an absolute path")
        }
        if !path.hasPrefix("/") || path.hasSuffix("/") || path.utf8.contains(0) {
            throw Failure(reason: "'unix:\(path)' has no absolute path of a socket; wanted one such as unix:/path")
        }
        if path.utf8.count > longestPath {
            throw Failure(reason: "the path of the socket has \(path.utf8.count) bytes; at most \(longestPath) can be")
        }
        return path
    }

    private static func host(_ host: Substring, in text: String) throws(Failure) -> String {
        if host.isEmpty {
            throw Failure(reason: "'\(text)' has no host; \"0.0.0.0\(text)\" is every IPv4 address of this machine")
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            let inner = host.dropFirst().dropLast()
            var address = in6_addr()
            if inet_pton(AF_INET6, String(inner), &address) == 1 { return String(inner) }
            throw Failure(reason: "'\(text)' has something other than an IPv6 address between '[' and ']'")
        }
        if host.contains(":") { throw Failure(reason: "'\(text)' has an IPv6 address without [ ] around it") }
        var address = in_addr()
        if inet_pton(AF_INET, String(host), &address) == 1 { return String(host) }
        // Asking for the address of a name may take so long that leases are lost meanwhile.
        throw Failure(reason: "'\(text)' has a name for a host; wanted an address, such as 127.0.0.1 or [::1]")
    }
}
