// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What nodes, jobs and prefixes may be called.
package enum Names {
    /// Why a job cannot be called so; nil when it can.
    package static func problem(ofJob name: String) -> String? {
        let bytes = Array(name.utf8)
        let isValid = bytes.enumerated().allSatisfy { index, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): return true
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): return index > 0
            default: return false
            }
        }
        if isValid, (1...63).contains(bytes.count) { return nil }
        return """
            '\(name)' cannot be a job's name; wanted 1 to 63 of a-z 0-9 . _ - with a letter or digit first
            """
    }

    /// What the keys of a job called "node" end with: a node's key must not be one of them.
    private static let companions: Set = ["lock", "fence", "holder", "mark", "ledger", "runs"]

    static func problem(ofNode name: String) -> String? {
        if companions.contains(name) { return "'\(name)' cannot be a node's name: the store uses that word itself" }
        if (1...64).contains(name.utf8.count), name.utf8.allSatisfy(isPlain) { return nil }
        return "'\(name)' cannot be a node's name; wanted 1 to 64 letters, digits and . _ -"
    }

    /// A pattern that no node's name can match is a mistake.
    static func problem(ofNodePattern pattern: String) -> String? {
        let isPossible = pattern.utf8.allSatisfy { isPlain($0) || $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
        if (1...64).contains(pattern.utf8.count), isPossible { return nil }
        return
            "'\(pattern)' matches no node's name; wanted 1 to 64 letters, digits and . _ -, with * for any text and ? for any character"
    }

    static func problem(ofTag name: String, _ value: String) -> String? {
        if !(1...64).contains(name.utf8.count) || !name.utf8.allSatisfy(isPlain) {
            return "'\(name)' cannot be a tag's name; wanted 1 to 64 letters, digits and . _ -"
        }
        if (1...128).contains(value.utf8.count), value.escapingControls == value { return nil }
        return "a tag has 1 to 128 bytes without control characters"
    }

    static func problem(ofPrefix name: String) -> String? {
        if (1...64).contains(name.utf8.count), name.utf8.allSatisfy(isPlain) { return nil }
        return "'\(name)' cannot be a prefix; wanted 1 to 64 letters, digits and . _ -"
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            return true
        default: return false
        }
    }
}
