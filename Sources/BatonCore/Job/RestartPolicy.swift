// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension JobDefinition.RestartSettings {
    /// The mark that a run leaves behind when it ended by itself: how long nobody starts the job again.
    ///
    /// The delay holds for the whole fleet: a job that fails everywhere is not started faster because it has more nodes
    /// to fail on.
    ///
    /// - Parameters:
    ///   - ranFor: a run of at least 10 × `delay` was a good one: the doubling starts again.
    ///   - failures: runs that failed in a row before this one.
    ///   - jitter: 0 ..< 1.
    package func mark(
        after outcome: RunOutcome, ranFor: Duration, failures: Int, jitter: Double, by node: String
    ) -> Mark? {
        switch (outcome.verdict, policy) {
        case (.neither, _): nil
        case (_, .never), (.success, .onFailure):
            Mark(kind: .finished, failures: 0, by: node)
        case (.success, .always):
            Mark(kind: .coolingDown, remaining: delay, failures: 0, by: node)
        case (.failure, .always), (.failure, .onFailure):
            coolingDown(failures: ranFor >= delay * 10 ? 0 : failures, jitter: jitter, by: node)
        }
    }

    private func coolingDown(failures: Int, jitter: Double, by node: String) -> Mark {
        // 2^20 × 1 ms is past any sensible max_delay; a larger shift could overflow.
        let doubled = min(delay * (1 << min(failures, 20)), maxDelay)
        return Mark(
            kind: .coolingDown, remaining: min(doubled + doubled * (jitter / 10), maxDelay), failures: failures + 1,
            by: node)
    }
}
