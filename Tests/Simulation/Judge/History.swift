// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What happened, for a person to read: one line each. Kept only when somebody wants to read it.
struct History {
    let isRecording: Bool
    private(set) var lines: [String] = []

    init(isRecording: Bool) { self.isRecording = isRecording }

    mutating func add(_ now: Int64, _ node: Int, _ text: String) {
        let who = node < 0 ? "      " : "node \(node + 1)"
        lines.append("\(seconds(now))  \(who)  \(plain(text))")
    }

    /// Without the names of types, which the reader knows.
    private func plain(_ text: String) -> String {
        let names = [
            "JobMachine.Action.", "JobMachine.Event.", "JobMachine.Waiting.", "KeeperMachine.Action.",
            "KeeperMachine.Event.", "LeaseMachine.Event.", "CompetitionMachine.Ending.", "KeeperReport.",
            "KeeperPhase.",
            "Mark.Kind.", "RunOutcome.", "RunEnd.", "Instant",
        ]
        return names.reduce(text) { $0.replacing("BatonCore.\($1)", with: "") }.replacing("BatonCore.", with: "")
    }
}
