// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The version of Baton that this is.
package enum BatonVersion {
    /// As `--version` prints it.
    package static let text = "0.1.0"
}
