// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Requests and answers in the words of a history.
extension Request: CustomStringConvertible {
    var description: String {
        switch self {
        case .acquire(let request):
            "for the lock with \(word(request.token))"
                + (request.guarding?.nonce.map { ", nonce \(word($0))" } ?? "")
                + (request.guarding?.claim.map { ", claim \(word($0))" } ?? "")
                + (request.claim.map { ", tick \($0.tick), attempt \($0.attempt)" } ?? "") + until(request.notAfter)
        case .renew(let request):
            "to renew \(word(request.token))"
                + (request.successor.map { ", as \(word($0.token))" } ?? "") + until(request.notAfter)
        case .release(let request):
            "to release \(word(request.token))" + (request.mark.map { ", \($0.kind)" } ?? "")
                + (request.outcome.map { ", \(String(decoding: $0.outcome, as: UTF8.self))" } ?? "")
        case .look: "for a look"
        case .mark(let mark): mark.map { "to mark: \($0.kind)" } ?? "to clear the mark"
        case .settle(let request): "for the ledger" + (request.tick.map { ", to settle it up to \($0)" } ?? "")
        }
    }
}

extension Answer: CustomStringConvertible {
    var description: String {
        switch self {
        case .acquire(.granted(let grant)): "granted, fence \(grant.fence ?? 0)"
        case .acquire(.held(let sighting)): "held" + words(sighting)
        case .acquire(.orphaned(let sighting)): "orphaned" + words(sighting)
        case .acquire(.unsettled(let nonce, let wait)): "unsettled, nonce \(word(nonce)), wait \(wait)"
        case .acquire(.marked(let mark)): "marked, \(mark.kind)"
        case .acquire(.ledger(let view)): "not by the ledger, \(view)"
        case .acquire(.late): "too late"
        case .renew(let reply): "\(reply)"
        case .release(let wasOurs): wasOurs ? "released" : "not yours"
        case .look(let view):
            "token \(view.token.map(word) ?? "none"), mark \(view.mark.map { "\($0.kind)" } ?? "none")"
        case .marked: "marked"
        case .ledger(let view): "the ledger, \(view)"
        case .failure(let failure): failure.rawValue
        }
    }

    private func words(_ sighting: Sighting) -> String {
        (sighting.timeToLive.map { ", \($0.milliseconds) ms left" } ?? "")
            + (sighting.owner.map { ", owner record \(word($0))" } ?? "")
    }
}

/// A token, nonce or record by its number.
private func word(_ bytes: Bytes) -> String {
    var number: UInt64 = 0
    for byte in bytes.reversed() { number = number << 8 | UInt64(byte) }
    return "#\(number)"
}

private func until(_ notAfter: Int64?) -> String {
    notAfter.map { ", not after \(seconds($0 % 1_000_000_000_000 * 1000))" } ?? ""
}
