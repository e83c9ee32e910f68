// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension Bytes {
    /// The last `count` lines, each with its end; what follows the last end counts as a line.
    package func lastLines(_ count: Int) -> Bytes {
        if count <= 0 { return [] }
        var left = count
        var index = self.count - 1
        while index > 0 {
            index -= 1
            if self[index] != UInt8(ascii: "\n") { continue }
            left -= 1
            if left == 0 { return Bytes(self[(index + 1)...]) }
        }
        return self
    }
}
