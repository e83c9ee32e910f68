// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc

/// `[store]`: where elections are recorded, as whom, and with which secret.
extension NodeDecoder {
    func decodeStore(_ reader: inout TableReader, _ store: inout StoreSettings) {
        decodeAddress(&reader, &store)
        decodeSecrets(&reader, &store)
        if let (prefix, node) = reader.string("prefix") {
            if let reason = Names.problem(ofPrefix: prefix) { reader.reject(node, reason) }
            store.prefix = prefix
        }
        if let (duration, node) = reader.duration("max_lock_timeout") {
            if duration < LeaseArithmetic.shortest {
                reader.reject(node, "\(DurationText.describe(duration)) is too short: it must be at least 1s")
            }
            if duration > .seconds(86400) {
                reader.reject(node, "\(DurationText.describe(duration)) is too long: it must be at most 1d")
            }
            store.maxLockTimeout = duration
        }
        if let (duration, node) = reader.duration("connect_timeout") {
            if duration <= .zero { reader.reject(node, "must be longer than 0s") }
            store.connectTimeout = duration
        }
        if let (duration, node) = reader.duration("request_timeout") {
            if duration <= .zero { reader.reject(node, "must be longer than 0s") }
            store.requestTimeout = duration
        }
        decodeReplicas(&reader, &store)
    }

    private func decodeReplicas(_ reader: inout TableReader, _ store: inout StoreSettings) {
        guard let (number, node) = reader.integer("replicas") else { return }
        guard (0...100).contains(number) else {
            return reader.reject(
                node, "\(number) replicas cannot be; wanted 0, which waits for none, to 100: all that may be promoted")
        }
        if number > 0, case .sqlite = store.location {
            reader.reject(node, "is \(number), but the store is an SQLite file, which has no replicas")
        }
        store.replicas = Int(number)
    }

    private func decodeAddress(_ reader: inout TableReader, _ store: inout StoreSettings) {
        guard let (text, node) = reader.string("url") else { return }
        do {
            let url = try StoreURL(text)
            store.location = url.location
            store.database = url.database
            store.username = url.username
            store.password = url.password
            if url.password != nil, mode & 0o077 != 0 {
                reader.reject(
                    node,
                    """
                    has a password in it, and others can read this file (mode \(String(mode & 0o777, radix: 8))): \
                    use password_file, or chmod 600
                    """)
            }
        } catch {
            reader.reject(node, error.reason)
        }
    }

    private func decodeSecrets(_ reader: inout TableReader, _ store: inout StoreSettings) {
        if let (name, node) = reader.string("username") {
            if name.isEmpty { reader.reject(node, "is empty") }
            if store.username != nil { reader.reject(node, "is given here and in the url; one of them is enough") }
            store.username = name
        }
        if let (path, node) = reader.secretString("password_file") {
            if store.password != nil {
                reader.reject(node, "is given, and a password in the url; one of them is enough")
            }
            decodePassword(path, at: node, &reader, &store)
        }
        if let (path, node) = reader.string("ca_file") {
            if !path.hasPrefix("/") {
                reader.reject(node, "is not an absolute path")
            } else if access(path, R_OK) != 0 {
                reader.reject(node, "\(path) cannot be read: \(String(cString: strerror(errno)))")
            }
            store.caFile = path
        }
    }

    private func decodePassword(
        _ text: String, at node: ConfigNode, _ reader: inout TableReader, _ store: inout StoreSettings
    ) {
        switch credentials.place(of: text) {
        case .file(let path):
            do {
                store.password = try PasswordFile.read(path)
            } catch {
                reader.reject(node, error.description)
            }
        case .unreachable:
            reader.warn(node, "is not checked: only batond itself can read the credentials of its unit")
        case .nowhere(let reason): reader.reject(node, reason)
        }
    }
}
