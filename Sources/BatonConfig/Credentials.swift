// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Where a secret's file is that is not named by an absolute path: among the credentials that systemd hands to a service
/// (`LoadCredential=`, `SetCredentialEncrypted=`).
package enum Credentials: Equatable, Sendable {
    /// Those of this process, in this folder.
    case folder(String)
    /// This process was given none.
    case none
    /// They are batond's, and this process is not batond: it checks files for it.
    case ofAnotherProcess

    /// What systemd gave this process.
    package static var own: Credentials {
        getenv("CREDENTIALS_DIRECTORY").map { .folder(String(cString: $0)) } ?? .none
    }

    /// Where a secret is to be read from.
    enum Place: Equatable {
        case file(String)
        /// Only batond can read it.
        case unreachable
        /// Why it can be nowhere. Never with the text itself: somebody may have written the secret instead of its place.
        case nowhere(String)
    }

    /// The place that a key names: an absolute path, or a credential's name.
    func place(of text: String) -> Place {
        if text.hasPrefix("/") {
            // There only while batond runs, and for nobody but batond and root.
            let isOfAService = text.hasPrefix("/run/credentials/") && self == .ofAnotherProcess
            return isOfAService && access(text, R_OK) != 0 ? .unreachable : .file(text)
        }
        if text.isEmpty || text.contains("/") || text == "." || text == ".." {
            return .nowhere("is neither an absolute path nor the name of a systemd credential")
        }
        switch self {
        case .ofAnotherProcess: return .unreachable
        case .none:
            return .nowhere(
                """
                is not an absolute path, so it names a systemd credential, but batond was given none: the unit needs \
                LoadCredential=
                """)
        case .folder(let folder):
            let path = folder + "/" + text
            if access(path, F_OK) == 0 { return .file(path) }
            return .nowhere("is neither an absolute path nor the name of one of the credentials in \(folder)")
        }
    }
}
