// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

@testable import BatonTestSupport

/// One run of a sequence: each step is asked of a fresh store and of the model, and the answers are compared.
///
/// The model's time is the one that the store stamped its answer with, or the server's just before an answer without a
/// stamp. Where time passes for real, no question is asked within a few milliseconds of the end of a lock or a mark
/// (the model knows them all): nothing is judged by a guess. What a busy machine takes between the two readings of the
/// clock around a question is added to the tolerance of the answers that follow.
struct StoreTrial {
    enum End: Equatable, Sendable {
        case agreed
        case disagreed
        /// The machine was so busy that a question fell on an end: what follows is not judged.
        case overtaken
    }

    /// A step with both answers. In the store's, nonces and owner records are the model's, where known.
    struct Step: Sendable, CustomStringConvertible {
        let operation: StoreOperation
        let expected: StoreAnswer
        let found: StoreAnswer
        let agreed: Bool

        var description: String {
            if !operation.isQuestion { return "  \(operation)" }
            if agreed { return "  \(operation) -> \(found)" }
            return "  \(operation)\n    model: \(expected)\n    store: \(found)"
        }
    }

    struct Outcome: Sendable {
        let end: End
        /// All steps up to the end.
        let steps: [Step]
        /// How many answers were compared.
        var asked: Int { steps.count { $0.operation.isQuestion } }
    }

    private var steps: [Step] = []
    private let contender: any Contender
    private var model: StoreModel
    private var draws = DrawnValues()
    private var drawn = 0
    private var slack = Duration.zero

    private init(_ contender: any Contender) {
        self.contender = contender
        model = StoreModel(clock: contender.clock)
    }

    /// - Parameter contender: a store that knows nothing.
    static func run(_ operations: [StoreOperation], on contender: any Contender) async throws -> Outcome {
        var trial = StoreTrial(contender)
        for operation in operations {
            if contender.tolerance > .zero { try await trial.keepAwayFromEnds() }
            let end = try await operation.isQuestion ? trial.ask(operation) : trial.happen(operation)
            if end != .agreed { return Outcome(end: end, steps: trial.steps) }
        }
        return Outcome(end: .agreed, steps: trial.steps)
    }

    private mutating func happen(_ operation: StoreOperation) async throws -> End {
        switch operation {
        case .pass(let time): try await contender.pass(time)
        case .passNextEnd:
            let now = try contender.now()
            guard let end = model.ends.filter({ $0 > now }).min() else { break }
            let left = Duration.microseconds(end - now)
            if contender.tolerance == .zero || left < .milliseconds(50) { try await contender.pass(left + margin) }
        case .forgetEverything:
            try await contender.forgetEverything()
            model.forgetEverything()
        case .deleteLock(let place):
            try await contender.deleteLock(place.keys)
            model.forgetLock(place.keys)
        case .deleteLedger(let place):
            try await contender.deleteLedger(place.keys)
            model.forgetLedger(place.keys)
        case .movePosition(let place, let distance):
            let now = try contender.now()
            let tick = contender.wall(at: now) / 1_000_000 + distance
            try await contender.movePosition(place.keys, to: tick)
            model.movePosition(place.keys, to: tick)
        case .restart:
            try await contender.restart()
            model.restart(as: draw())
        case .acquire, .renew, .release, .look, .setMark, .restoreMark, .settle, .ask, .lookAtLedger, .history:
            return try await ask(operation)
        }
        steps.append(Step(operation: operation, expected: .done, found: .done, agreed: true))
        return .agreed
    }

    // MARK: - Questions

    private mutating func ask(_ operation: StoreOperation) async throws -> End {
        let before = try contender.now()
        let context = RequestContext(
            now: before, wall: contender.wall(at: before), model: model, draws: draws, limit: maxLockTimeout)
        let (found, stamp) = try await context.ask(contender.store, operation)
        let after = try contender.now()
        slack += max(.zero, .microseconds(after - before) - .milliseconds(1))
        let (earliest, latest) = (before - margin.microseconds, after + margin.microseconds)
        if slack > .milliseconds(20) || model.ends.contains(where: { earliest < $0 && $0 < latest }) {
            return .overtaken
        }

        let now = stamp ?? before
        let moment = StoreModel.Moment(time: now, wall: contender.wall(at: now), random: draw())
        let expected = context.ask(&model, operation, at: moment)
        let isPaired = draws.pair(expected, found, about: operation)
        let agreed =
            isPaired && (before...after).contains(now)
            && expected.agrees(with: draws.translated(found), within: contender.tolerance + slack)
        steps.append(
            Step(operation: operation, expected: expected, found: draws.translated(found), agreed: agreed))
        return agreed ? .agreed : .disagreed
    }

    private mutating func draw() -> Bytes {
        drawn += 1
        return bytes("r\(drawn)")
    }

    // MARK: - Time

    /// How near to an end an answer may be by chance.
    private var margin: Duration { contender.tolerance == .zero ? .zero : contender.tolerance + slack }

    private func keepAwayFromEnds() async throws {
        while true {
            let now = try contender.now()
            let (earliest, latest) = (now - margin.microseconds, now + margin.microseconds * 2)
            guard let end = model.ends.filter({ earliest < $0 && $0 < latest }).max() else { return }
            try await contender.pass(.microseconds(end - earliest))
        }
    }
}
