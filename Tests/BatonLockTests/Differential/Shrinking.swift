// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A shorter sequence that still fails: without this half, this quarter, … this step; then with simpler steps, which
/// may make others needless.
///
/// - Parameters:
///   - elements: a sequence that fails.
///   - limit: how often `fails` may be asked.
///   - simpler: variants of one element that are easier to read.
///   - fails: whether a sequence fails, from a fresh start each time.
func shrunk<Element: Equatable & Sendable>(
    _ elements: [Element], limit: Int, simpler: (Element) -> [Element] = { _ in [] },
    _ fails: ([Element]) async throws -> Bool
) async rethrows -> [Element] {
    var (best, asked) = (elements, 0)

    func isBetter(_ candidate: [Element]) async throws -> Bool {
        if candidate == best || asked == limit { return false }
        asked += 1
        guard try await fails(candidate) else { return false }
        best = candidate
        return true
    }

    func removeSteps() async throws {
        var size = max(1, best.count / 2)
        while true {
            let before = best.count
            var index = 0
            while index < best.count {
                var candidate = best
                candidate.removeSubrange(index..<min(index + size, best.count))
                if try await !isBetter(candidate) { index += size }
            }
            if size == 1, best.count == before { return }
            size = max(1, size / 2)
        }
    }

    func simplifyStep(at index: Int) async throws -> Bool {
        for variant in simpler(best[index]) {
            var candidate = best
            candidate[index] = variant
            if try await isBetter(candidate) { return true }
        }
        return false
    }

    while asked < limit {
        try await removeSteps()
        let shortest = best
        for index in best.indices {
            while try await simplifyStep(at: index) {}
        }
        if best == shortest { break }
    }
    return best
}
