// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

/// What an error reply means for the one who asked. Every error reply means: not applied.
struct ServerError: Equatable {
    enum Kind: Equatable {
        /// The script is not known there: to be sent again with its text.
        case noScript
        /// It will pass: try again, within the deadline.
        case passing
        /// This server is not (or no longer) the one that decides: try again over a new connection.
        case wrongServer
        /// Wrong password, or a permission is missing.
        case notPermitted
        /// Anything else: it says what.
        case refused
    }
    let kind: Kind
    let message: String

    /// Reads an error reply. A script's error wraps the one of the command that failed, so the whole text is searched.
    init(_ message: String) {
        self.message = printable(message)
        let words = Set(message.split { !($0.isASCII && $0.isUppercase) }.map(String.init))
        func says(_ candidates: String...) -> Bool { candidates.contains { words.contains($0) } }
        kind =
            if message.hasPrefix("NOSCRIPT") {
                .noScript
            } else if says("READONLY", "MASTERDOWN") {
                .wrongServer
            } else if says("LOADING", "TRYAGAIN", "CLUSTERDOWN") || message.hasPrefix("BUSY ") {
                .passing
            } else if says("NOAUTH", "WRONGPASS", "NOPERM", "DENIED") || message.hasPrefix("ERR invalid password")
                || message.hasPrefix("ERR Client sent AUTH") || message.hasPrefix("ERR AUTH")
            {
                .notPermitted
            } else {
                .refused
            }
    }

    /// Whether nothing good can come over this connection any more: a replica by now, or our user is gone.
    var endsConnection: Bool {
        // A wrong password ends it at once: the NOAUTH that every later command brings would hide the reason.
        kind == .wrongServer || ["NOAUTH", "WRONGPASS", "ERR invalid password"].contains { message.hasPrefix($0) }
    }

    /// The error for people.
    func lockError(peer: String) -> LockError {
        switch kind {
        case .notPermitted: LockError(.notPermitted, "\(peer) does not permit it: \(message)")
        case .passing, .wrongServer: LockError(.unavailable, "\(peer) is not available just now: \(message)")
        case .noScript, .refused: LockError(.refused, "\(peer) refused: \(message)")
        }
    }
}

/// Text from the server, fit for a log: one line, bounded, no control characters.
func printable(_ text: String) -> String {
    PrintableText.escaped(String(text.unicodeScalars.prefix(300)))
}
