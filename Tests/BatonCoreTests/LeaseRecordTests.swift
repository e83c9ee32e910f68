// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// What a daemon leaves for the next one, up and down the versions.
@Suite struct LeaseRecordTests {
    private let record = LeaseRecord(token: [1, 0xab], successor: [2], fence: 7, timeout: .seconds(15))
    private let text = "1\n7\n15000\n01ab\n02"

    @Test func itIsWrittenAndReadAsEver() {
        #expect(String(decoding: record.encode(), as: UTF8.self) == text)
        #expect(LeaseRecord(decoding: Bytes(text.utf8)) == record)
        #expect(!LeaseRecord.isNewer(Bytes(text.utf8)))
    }

    @Test func linesThatAreAddedLaterAreOfNoConcern() {
        #expect(LeaseRecord(decoding: Bytes("\(text)\nnew\n".utf8)) == record)
    }

    @Test func anotherNumberIsANewerVersion() {
        let newer = Bytes("2\(text.dropFirst())".utf8)
        #expect(LeaseRecord(decoding: newer) == nil)
        #expect(LeaseRecord.isNewer(newer))
        for garbled in ["", "x", "0\n7", "1\n7\n15000\n01ab"] {
            #expect(LeaseRecord(decoding: Bytes(garbled.utf8)) == nil)
            #expect(!LeaseRecord.isNewer(Bytes(garbled.utf8)))
        }
    }

    @Test(arguments: [
        "1\n-1\n15000\n01ab\n", "1\n9007199254740992\n15000\n01ab\n", "1\n7\n0\n01ab\n",
        "1\n7\n86400001\n01ab\n", "1\n7\n9223372036854775807\n01ab\n", "1\n7\n15000\n\n",
    ])
    func whatNobodyCanHaveBeenGrantedIsNoRecord(text: String) {
        #expect(LeaseRecord(decoding: Bytes(text.utf8)) == nil)
    }

    @Test func aFenceOnDiskIsBelievedIfAStoreWould() {
        #expect(FenceRecord.encode(7) == Bytes("7".utf8))
        for (text, fence) in [
            ("7", 7), ("9007199254740991", 9_007_199_254_740_991), ("9007199254740992", 0), ("-1", 0), ("", 0),
            ("x7", 0),
            ("9223372036854775808", 0),
        ] {
            #expect(FenceRecord.decode(Bytes(text.utf8)) == Int64(fence), "\(text)")
        }
    }
}
