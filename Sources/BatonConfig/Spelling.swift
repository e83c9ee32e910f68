// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Finds what somebody meant to write.
package enum Spelling {
    /// What is longer was not meant to be any of our words, and comparing takes as long as both words together.
    private static let longest = 100

    /// The word that is nearest, if it is near: a letter wrong, missing, too many, or two exchanged.
    package static func nearest(to word: String, among words: Set<String>) -> String? {
        if word.utf8.count > longest { return nil }
        let limit = max(1, word.count / 3)
        let ranked = words.map { (distance(word, $0), $0) }.filter { $0.0 <= limit }
        return ranked.min { $0 < $1 }?.1
    }

    /// Insertions, deletions, replacements and exchanges of neighbours that lead from one word to the other.
    static func distance(_ left: String, _ right: String) -> Int {
        let (a, b) = (Array(left.lowercased()), Array(right.lowercased()))
        var rows = [Array(0...b.count)]
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
