// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A number by which nodes see whether their files say the same: FNV-1a, 64 bits.
///
/// It is made of what is written, not of what this version makes of it: two versions of Baton that read the same files
/// agree. Comments, the order of keys, and whether a value stands in the file or in the node's `[defaults]`, do not
/// count. It keeps no secret: whoever can guess a value can check it.
struct ConfigDigest {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    init(_ bytes: [UInt8]) { add(bytes) }

    init(_ node: ConfigNode) { add(node) }

    private mutating func add(_ node: ConfigNode) {
        switch node.value {
        case .table(let values):
            add("{\(values.count)")
            for (key, value) in values.sorted(by: { $0.key < $1.key }) {
                add(text: key)
                add(value)
            }
        case .array(let elements):
            add("[\(elements.count)")
            for element in elements { add(element) }
        case .string(let text): add(text: text)
        case .integer(let number): add("i\(number)")
        case .float(let number): add("f\(number.bitPattern)")
        case .boolean(let flag): add("b\(flag)")
        case .date(let text): add("d\(text)")
        }
    }

    /// With its length, so that no text reads as two.
    private mutating func add(text: String) { add("s\(text.utf8.count):\(text)") }

    private mutating func add(_ text: String) { add(Array((text + ";").utf8)) }

    private mutating func add(_ bytes: [UInt8]) {
        for byte in bytes {
            value ^= UInt64(byte)
            value &*= 0x100_0000_01b3
        }
    }
}
