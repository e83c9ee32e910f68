// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation

/// How long the tests may take: `make test` is for every commit, `make test-long` (BATON_TEST_LONG=1) for a night.
package enum TestLength {
    /// Everything, at full length.
    package static let isLong = ProcessInfo.processInfo.environment["BATON_TEST_LONG"] == "1"
}
