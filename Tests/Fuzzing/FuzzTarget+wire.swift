// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The binary formats between daemon, keeper and disk.
extension FuzzTarget {
    func fuzzKeeper(_ input: Bytes) throws {
        try requireRoundTrip(try? KeeperOrder(decoding: input), { $0.encode() }, { try KeeperOrder(decoding: $0) })
        try requireRoundTrip(try? KeeperReport(decoding: input), { $0.encode() }, { try KeeperReport(decoding: $0) })
        try requireRoundTrip(try? RunEnd(decoding: input), { $0.encode() }, { try RunEnd(decoding: $0) })
    }

    func fuzzSpec(_ input: Bytes) throws {
        try requireRoundTrip(try? LaunchSpec(decoding: input), { $0.encode() }, { try LaunchSpec(decoding: $0) })
        // Cut short anywhere, it is none.
        if (try? LaunchSpec(decoding: input)) != nil {
            for length in input.indices {
                try require(
                    (try? LaunchSpec(decoding: Bytes(input[..<length]))) == nil, "cut at \(length), still a spec")
            }
        }
    }

    func fuzzRecords(_ input: Bytes) throws {
        let record = LeaseRecord(decoding: input)
        try require(record == nil || !LeaseRecord.isNewer(input), "read, and of a later version")
        try requireRoundTrip(record, { $0.encode() }, { LeaseRecord(decoding: $0) })
        try requireRoundTrip(HolderRecord(decoding: input), { $0.encode() }, { HolderRecord(decoding: $0) })
        let fence = FenceRecord.decode(input)
        try require(FenceRecord.decode(FenceRecord.encode(fence)) == fence && FenceRecord.isFence(fence), "\(fence)")
        // Control characters in names are escaped once, when they are written.
        let node = NodeRecord(decoding: input).flatMap { NodeRecord(decoding: $0.encode()) }
        try requireRoundTrip(node, { $0.encode() }, { NodeRecord(decoding: $0) })

        // The input as the values of a record instead of its bytes.
        let number = input.prefix(8).reduce(Int64(0)) { $0 << 8 | Int64($1) }
        let granted = number & AcquireRequest.FenceRequest.largest
        let parts = input.dropFirst(8).split(separator: 0, maxSplits: 3, omittingEmptySubsequences: false).map(
            Bytes.init)
        guard parts.count > 1, !parts[0].isEmpty else { return }
        let lease = LeaseRecord(
            token: parts[0], successor: parts[1].isEmpty ? nil : parts[1], fence: granted,
            timeout: .milliseconds(Int64(input[0]) + 1))
        try requireRoundTrip(lease, { $0.encode() }, { LeaseRecord(decoding: $0) })
        let job = NodeRecord.Job(
            name: PrintableText.escaped(parts[0]), digest: UInt64(bitPattern: number), standing: .standby)
        let members = NodeRecord(
            node: PrintableText.escaped(parts[1]), instance: "i", version: "1", since: "s", jobs: [job, job])
        try requireRoundTrip(members, { $0.encode() }, { NodeRecord(decoding: $0) })
    }
}
