// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What can happen to a node or a job that an operator may want to find again.
///
/// Each kind has a 128-bit id, the journal's `MESSAGE_ID`: random, made once, never changed and never used for something
/// else. What it means, and what to do, is in `systemd/baton.catalog` under that id (`journalctl -x` shows it). The raw
/// value is the kind's name in words, the journal's `BATON_EVENT`.
package enum EventKind: String, CaseIterable, Sendable {
    // The node.
    case nodeReady = "node-ready"
    case nodeStopping = "node-stopping"
    case nodeStopped = "node-stopped"
    case nodeReplaced = "node-replaced"
    case nodeFailed = "node-failed"
    case nameTaken = "name-taken"
    case nameFree = "name-free"
    case loopStalled = "loop-stalled"
    case watchdogTooSlow = "watchdog-too-slow"
    case logDropped = "log-dropped"
    // Its configuration.
    case jobInvalid = "job-invalid"
    case reloadDone = "reload-done"
    case reloadFailed = "reload-failed"
    // The store.
    case storeReachable = "store-reachable"
    case storeUnreachable = "store-unreachable"
    case storeWarning = "store-warning"
    case clockJumped = "clock-jumped"
    case waitingForStore = "waiting-for-store"
    case releaseFailed = "release-failed"
    // A job and its runs.
    case standby = "standby"
    case elected = "elected"
    case runStarted = "run-started"
    case runAdopted = "run-adopted"
    case runLeftAlone = "run-left-alone"
    case runStopping = "run-stopping"
    case runEnded = "run-ended"
    case runFailed = "run-failed"
    case leaseLost = "lease-lost"
    case restartDelayed = "restart-delayed"
    case jobFinished = "job-finished"
    case heldDown = "held-down"
    case outputDropped = "output-dropped"
    case ticksMissed = "ticks-missed"
    case ticksSkipped = "ticks-skipped"
    case runLost = "run-lost"
    case notifyFailed = "notify-failed"
    // Operators.
    case operatorActed = "operator-acted"
    case operatorFailed = "operator-failed"
    case operatorRefused = "operator-refused"

    /// The key of the kind in a log's metadata.
    package static let metadataKey = "event"

    /// The `MESSAGE_ID`: 32 hexadecimal digits.
    package var id: String {
        switch self {
        case .nodeReady: "56c741dacec84df38dec2a32d5d20fb6"
        case .nodeStopping: "82773153a3094bc4aa749f7697741f3c"
        case .nodeStopped: "de65842c49a045988b02bf7b81bb16a3"
        case .nodeReplaced: "52f6d2be543e4b349c37aba10474243e"
        case .nodeFailed: "67bcd1d6341f441cb2d9c2f679d84bfc"
        case .nameTaken: "718544b16f7b49d49d75f96d7c895d4a"
        case .nameFree: "1a02e53a1f634ffc870dd72a7a0a409a"
        case .loopStalled: "2fb32b9d0b0f4a56b459c0e08e886060"
        case .watchdogTooSlow: "7d8d3c3e06b24ff78443e3fddeef4f30"
        case .logDropped: "70e04c13ffc04ad58a6cb9ade71e7d58"
        case .jobInvalid: "0a1964b65b3b4993bbc4dc195e8f9a5a"
        case .reloadDone: "c889a2f4df76415c9b99a454c99250ad"
        case .reloadFailed: "ed72c3e82ea541dc9be6c2b611bf4536"
        case .storeReachable: "8e1b120202d54a8e8cf175e4fc3a7d90"
        case .storeUnreachable: "6e2f02421387425cbc603a8f213357a8"
        case .storeWarning: "8cf6d4e854ef494a8bc452e5550c0704"
        case .clockJumped: "4d7b54e47fc44ba88f1ee60d6d439219"
        case .waitingForStore: "a6d4e259b0b845c89111ac2b1e8f1fe2"
        case .releaseFailed: "daa1704948cf4ecf8e06973a0351c9bd"
        case .standby: "9ad487cbd1644c0ba8de14fa36bdea59"
        case .elected: "d08cbcd8ad1340d4a7ed7103fd28acf1"
        case .runStarted: "0f34768e57754d37bb1411770fc51886"
        case .runAdopted: "553a284f196b416fa333a12968ff506b"
        case .runLeftAlone: "1dc8aeb572c34f89bb3b2acbb33c1571"
        case .runStopping: "dedcd26e593949f9851d1ceaf1d49249"
        case .runEnded: "872498cd132140698de37006ca121ad8"
        case .runFailed: "16b076111b08414cbf969e4334fb2d24"
        case .leaseLost: "e716a3cf4bee42e98ecb3f8a0e0f71a3"
        case .restartDelayed: "bbc9bd3e423c46c6bce77f874747c493"
        case .jobFinished: "e5e40bdaa0044027866c2afa922d6310"
        case .heldDown: "e1df6c0deee144eb9b5548915f61b287"
        case .outputDropped: "18e24325e1fa43fd839a46326a5adb49"
        case .ticksMissed: "8346245db4e4907034b8f2fe15f91e83"
        case .ticksSkipped: "4aca15593a72f3cba03d13b72ea11e17"
        case .runLost: "0f1f7b61fd6a845b99967cb716750ce3"
        case .notifyFailed: "4c287d2953ad9b1a07e2f8f0817a85ab"
        case .operatorActed: "0a4552be92444d4cba34fd13745723c5"
        case .operatorFailed: "64a4f47c6a16492ba00fca53dd53de43"
        case .operatorRefused: "f948d518f8c841a385a3b394506ca367"
        }
    }

    /// What a job is when it comes into this state.
    package init?(enteringState state: StatusReport.State) {
        switch state {
        case .standby: self = .standby
        case .waitingForStore: self = .waitingForStore
        case .starting: self = .elected
        case .running: self = .runStarted
        case .stopping: self = .runStopping
        case .backoff: self = .restartDelayed
        case .heldDown: self = .heldDown
        case .finished: self = .jobFinished
        case .invalid: self = .jobInvalid
        case .paused, .disabled, .ineligible: return nil
        }
    }
}
