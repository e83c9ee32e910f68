// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

actor Archive {
    struct IsLate: Error {}

    private var largest: Int64 = 0
    private(set) var reports: [String] = []

    func add(_ report: String, fence: Int64) throws {
        guard fence >= largest else { throw IsLate() }
        largest = fence
        reports.append(report)
    }
}
