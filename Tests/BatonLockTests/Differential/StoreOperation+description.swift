// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// One step, and one answer, in one line each.
extension StoreOperation: CustomStringConvertible {
    var description: String {
        switch self {
        case .acquire(let step):
            Self.line(
                "acquire \(step.place.rawValue) as \(Self.name(step.token))", step.timeout?.short ?? "for ever",
                step.isFresh ? "fresh" : nil, step.guarding?.description, step.fence.map { "fence (\($0))" },
                step.holder.map { "holder \($0)" }, step.heedsMarks ? "heeding marks" : nil,
                step.claim?.description, Self.limit(step.notAfter))
        case .renew(let step):
            Self.line(
                "renew \(step.place.rawValue) as \(Self.name(step.token))",
                step.change.short, step.isGuarded ? "guarded" : nil,
                step.fence == .unknown ? nil : "fence (\(step.fence))",
                step.holder.map { "holder \($0)" }, step.successor.map { "for \($0)" },
                step.ledger.map { "of run (\($0))" }, Self.limit(step.notAfter))
        case .release(let step):
            Self.line(
                "release \(step.place.rawValue) as \(Self.name(step.token))", step.isGuarded ? "guarded" : nil,
                step.mark.map { "leaving \($0.short)" },
                step.outcome.map { "run (\($0.run)) \($0.outcome), line \($0.line ?? "none")" })
        case .look(let place): "look at \(place.rawValue)"
        case .setMark(let mark?, let place): "mark \(place.rawValue) as \(mark.short)"
        case .restoreMark(let mark, let place): "restore the mark of \(place.rawValue) as \(mark.short)"
        case .setMark(nil, let place): "clear the mark of \(place.rawValue)"
        case .settle(let step):
            Self.line(
                "settle \(step.place.rawValue)", step.isGuarded ? "guarded" : nil, step.floor.map { "floor \($0)" },
                step.fence == .unknown ? nil : "fence (\(step.fence))",
                step.tick.map { "expecting \(step.expected), up to \($0), \(step.lines) lines" })
        case .ask(let place, let call): "ask for a run of \(place.rawValue), call \(call)"
        case .lookAtLedger(let place): "look at the ledger of \(place.rawValue)"
        case .history(let place, let limit): "\(limit) lines of \(place.rawValue)"
        case .deleteLedger(let place): "the ledger of \(place.rawValue) is deleted"
        case .movePosition(let place, let distance): "the position of \(place.rawValue) becomes now and \(distance) s"
        case .pass(let time): "\(time.short) pass"
        case .passNextEnd: "the next end passes"
        case .forgetEverything: "the store forgets everything"
        case .deleteLock(let place): "the key of \(place.rawValue) is deleted"
        case .restart: "the store comes back as another, with its data"
        }
    }

    private static func name(_ token: String) -> String { token == holder ? "the holder" : token }

    private static func limit(_ notAfter: Duration?) -> String? { notAfter.map { "not after \($0.short) from now" } }

    private static func line(_ words: String?...) -> String { words.compactMap { $0 }.joined(separator: ", ") }
}

extension StoreOperation.Guarding: CustomStringConvertible {
    var description: String {
        let presented = [nonce == .nothing ? nil : "\(nonce) nonce", claim == .nothing ? nil : "\(claim) claim"]
        return (["guarded"] + presented.compactMap { $0 } + (isMisfit ? ["of another max_lock_timeout"] : []))
            .joined(separator: ", ")
    }
}

extension StoreOperation.Claim: CustomStringConvertible {
    var description: String {
        "claiming position and \(tick) (expecting \(expected), attempt \(attemptAfter.map { "after by \($0)" } ?? "1"), "
            + "wish \(manual), floor \(floor.map { "\($0)" } ?? "none"), info \(info), \(lines) lines)"
    }
}

extension StoreOperation.Fence: CustomStringConvertible {
    var description: String {
        switch self {
        case .unknown: "none known"
        case .last: "the last"
        case .ahead(let distance): "the clock's and \(distance.short)"
        }
    }
}

extension StoreAnswer: CustomStringConvertible {
    var description: String {
        switch self {
        case .acquire(.granted(let grant)):
            "granted, fence \(grant.fence.map { "\($0)" } ?? "none"), failures \(grant.failures)"
        case .acquire(.held(let sighting)): "held, \(sighting.short)"
        case .acquire(.orphaned(let sighting)): "orphaned, \(sighting.short)"
        case .acquire(.unsettled(let nonce, let wait)): "unsettled, nonce \(nonce.short), wait \(wait.short)"
        case .acquire(.marked(let mark)): "marked, \(mark.short)"
        case .acquire(.ledger(let view)): "not by the ledger, \(view.short)"
        case .acquire(.late): "late"
        case .renew(.renewed(let left)): "renewed, \(left.short)"
        case .renew(.lost): "lost"
        case .renew(.unsettled): "unsettled"
        case .released(let wasOurs): wasOurs ? "released" : "not ours"
        case .view(let view):
            "token \(view.token?.short ?? "none"), \(view.timeToLive?.short ?? "no TTL"), "
                + "holder \(view.holder?.short ?? "none") of \(view.holderToken?.short ?? "nobody"), "
                + "fence \(view.fence), mark \(view.mark?.short ?? "none")"
                + (view.ledger.map { ", \($0.short)" } ?? "")
        case .ledger(let view): view.short
        case .asked(let asked): "\(asked.id) by \(asked.by)"
        case .lines(let lines): "lines \(lines.map { String(decoding: $0, as: UTF8.self) })"
        case .done: "done"
        case .refused: "refused"
        }
    }
}

extension Duration {
    fileprivate var short: String {
        let amounts: [(unit: Int64, name: String)] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1000, "µs")]
        let amount = amounts.first { nanoseconds % $0.unit == 0 } ?? (1, "ns")
        return "\(nanoseconds / amount.unit) \(amount.name)"
    }
}

extension Bytes {
    fileprivate var short: String { String(decoding: prefix(12), as: UTF8.self) }
}

extension Sighting {
    fileprivate var short: String {
        "\(timeToLive?.short ?? "no TTL"), owner \(owner?.short ?? "none"), "
            + "lease \(timeout?.short ?? "none"), fence \(fence)"
    }
}

extension RenewRequest.Change {
    fileprivate var short: String {
        switch self {
        case .reset(let whole): "to \(whole.short)"
        case .add(let more): "by \(more.short)"
        }
    }
}

extension Mark {
    fileprivate var short: String {
        "\(kind.rawValue) \(remaining?.short ?? "for ever"), failures \(failures)\(by.isEmpty ? "" : " by \(by)")"
    }
}

extension LedgerView {
    fileprivate var short: String {
        let run = entry.map { entry in
            "tick \(entry.tick), attempt \(entry.attempt), manual \(entry.manual.map { "\($0)" } ?? "no"), "
                + "fence \(entry.fence), changed \(entry.changed), outcome \(entry.outcome?.short ?? "none"), "
                + "info \(entry.info.short)"
        }
        return "ledger (\(run ?? "empty")), asked for \(asked.map { "\($0.id) by \($0.by)" } ?? "nothing")"
    }
}
