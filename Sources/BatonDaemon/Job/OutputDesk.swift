// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Where followers of a job's output ask for more of it, and what they are answered.
///
/// The keeper is asked once for each question, and keeps nothing for it; here nothing is kept either but the last output
/// of one run, for those who had not seen all of it when it ended.
struct OutputDesk {
    /// What somebody wants to know: what came after so many bytes of this run's output.
    struct Request: Sendable {
        /// Nil: of whatever runs here now, or has run since that one ended of which all was `seen`.
        var runID: String?
        var after: UInt64
        var seen: Seen
        let answer: AsyncStream<Answer>.Continuation
    }

    enum Answer: Sendable {
        case piece(Piece)
        /// The run is over; its output up to its end, if that could still be had.
        case ended(Piece?)
        /// Nothing runs here that would have output; the last run that was followed to its end.
        case nothing(ended: String?)
    }

    /// What somebody knows of runs that are over.
    enum Seen: Sendable {
        /// They have only come, and care for none that is over already.
        case nothing
        /// All that was to be seen of this run; nil: none has ended yet.
        case all(of: String?)
    }

    /// Output of a run, from one byte on.
    struct Piece: Sendable {
        var runID: String
        var fence: Int64 = 0
        var from: UInt64
        var bytes: Bytes
    }

    /// How many follow the output now.
    var followers = 0
    /// Asked, and not answered by the keeper yet; with the run that is meant.
    private var waiting: [(request: Request, runID: String, fence: Int64)] = []
    /// A run that has ended, whose last output is on its way.
    private var awaited: String?
    private var endedFence: Int64 = 0
    /// The last output of the last run that was followed to its end.
    private var last: Piece?

    /// Takes a question. What can be answered without the keeper is answered at once.
    ///
    /// - Returns: whether the keeper is to be asked.
    mutating func ask(_ request: Request, of run: ActiveRun?) -> Bool {
        let current = run.flatMap { $0.keeper == .connected ? $0.runID : nil }
        // A run may come and go between two questions.
        if request.runID == nil, case .all(let seen) = request.seen {
            if awaited != nil { return reply(.nothing(ended: seen), to: request) }
            if let last, last.runID != seen { return reply(.ended(last), to: request) }
        }
        if let current, request.runID == nil || request.runID == current {
            waiting.append((request, current, run?.record.fence ?? 0))
            return true
        }
        if let wanted = request.runID, wanted != awaited, wanted != run?.runID || run?.hasEnded == true {
            return reply(.ended(last?.runID == wanted ? last : nil), to: request)
        }
        return reply(.nothing(ended: last?.runID ?? awaited), to: request)
    }

    private func reply(_ answer: Answer, to request: Request) -> Bool {
        request.answer.yield(answer)
        request.answer.finish()
        return false
    }

    /// The keeper's answer.
    mutating func heard(_ piece: Piece, after: UInt64) {
        if awaited == piece.runID, after == 0 {
            awaited = nil
            last = followers > 0 ? piece : nil
            last?.fence = endedFence
        }
        answer(where: { $0.runID == piece.runID && $0.request.after == after }) { waiting in
            var piece = piece
            piece.fence = waiting.fence
            return .piece(piece)
        }
    }

    /// The run ends, and its keeper is still there.
    ///
    /// - Returns: whether it is to be asked for all it has, since somebody follows.
    mutating func ends(_ run: ActiveRun) -> Bool {
        last = nil
        awaited = followers > 0 ? run.runID : nil
        endedFence = run.record.fence
        return followers > 0
    }

    /// The run's keeper answers nothing any more.
    mutating func lost(_ runID: String) {
        if awaited == runID { awaited = nil }
        answer(where: { $0.runID == runID }) { _ in .nothing(ended: nil) }
    }

    private typealias Waiting = (request: Request, runID: String, fence: Int64)

    private mutating func answer(where isMeant: (Waiting) -> Bool, with answer: (Waiting) -> Answer) {
        for waiting in waiting where isMeant(waiting) {
            waiting.request.answer.yield(answer(waiting))
            waiting.request.answer.finish()
        }
        waiting.removeAll(where: isMeant)
    }
}

extension JobRunner {
    /// Asks for output; nil: there was no answer. A keeper of an older version has none.
    func output(of runID: String?, after: UInt64, seen: OutputDesk.Seen) async -> OutputDesk.Answer? {
        let (answers, inlet) = AsyncStream<OutputDesk.Answer>.makeStream()
        send(.outputWanted(.init(runID: runID, after: after, seen: seen, answer: inlet)))
        return await answers.first(within: .seconds(2)) { $0 }
    }
}
