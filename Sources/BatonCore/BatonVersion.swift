// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The version of this build: what `--version` prints and `status` reports.
package enum BatonVersion {
    /// Semantic version, without a `v`.
    package static let current = "0.1.0"
}
