// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// How often something was how large.
package struct Histogram: Equatable, Sendable {
    /// The largest value of each bucket but the last, which has no bound.
    package let bounds: [Double]
    /// How many values are in each bucket, and in none before it.
    package private(set) var counts: [UInt64]
    package private(set) var sum = 0.0

    /// Nothing was observed yet.
    ///
    /// - Parameter bounds: each larger than the one before it.
    package init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count + 1)
    }

    package mutating func observe(_ value: Double) {
        counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
        sum += value
    }
}
