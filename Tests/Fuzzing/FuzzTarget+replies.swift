// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

@testable import BatonValkey

/// What a server answers: bytes, replies, and what they mean.
extension FuzzTarget {
    /// The first byte: in portions of how many bytes the others arrive.
    func fuzzReplies(_ input: Bytes) throws {
        guard let first = input.first else { return }
        let bytes = Bytes(input.dropFirst())
        let whole = read(bytes, portions: max(bytes.count, 1))
        let parts = read(bytes, portions: Int(first) + 1)
        try require(whole == parts, "at once \(whole), in portions of \(Int(first) + 1) \(parts)")
        for reply in whole.replies { try understand(reply) }
        if let configuration = try? ValkeyStore.Configuration(url: "valkey://user:secret@h/1") {
            _ = try? Greeting(whole.replies, to: configuration)
        }
    }

    /// The replies, and whether the connection would be closed after them.
    private func read(_ bytes: Bytes, portions: Int) -> (replies: [Reply], failed: Bool) {
        var reader = ReplyReader()
        var replies: [Reply] = []
        do {
            for start in stride(from: 0, to: bytes.count, by: portions) {
                let part = bytes[start..<min(start + portions, bytes.count)]
                try part.withUnsafeBytes { try reader.feed($0) }
                while let reply = try reader.next() { replies.append(reply) }
            }
        } catch {
            return (replies, true)
        }
        return (replies, false)
    }

    /// Everything that a reply may be taken for.
    private func understand(_ reply: Reply) throws {
        if case .error(let message) = reply {
            let error = ServerError(message)
            try require(PrintableText.escaped(error.message) == error.message, "not printable: \(error.message)")
            _ = error.lockError(peer: "h")
        }
        if let time = reply.time { try require(time >= 0, "TIME \(time)") }
        guard let answer = ScriptAnswer(reply) else { return }
        try require(answer.serverTime >= 0, "TIME \(answer.serverTime)")
        var request = AcquireRequest(
            keys: LockKeys(prefix: "p", job: "j"), token: [1], tokenIsFresh: true, timeout: .seconds(1))
        request.fence = .init(floor: 0)
        request.guarding = .init(maxLockTimeout: .seconds(30))
        request.claim = LedgerClaim(expected: nil, tick: 1, info: [])
        let acquired = (try? answer.acquireReply(to: request)) ?? nil
        switch acquired?.reply {
        case .granted(let grant): try requireUsable(fence: grant.fence ?? 0)
        case .held(let sighting), .orphaned(let sighting): try follow(sighting, at: answer.serverTime)
        case .unsettled(_, let wait): _ = Instant(nanoseconds: 1) + wait
        case .marked(let mark): _ = Instant(nanoseconds: 1) + (mark.remaining ?? .zero)
        case .ledger(let view): try requireSound(view)
        case .late, nil: break
        }
        _ = try? answer.renewReply()
        if let view = answer.view() { _ = view.timeToLive?.nanoseconds }
        if let view = answer.ledgerView() { try requireSound(view) }
        if let view = answer.viewWithLedger()?.ledger { try requireSound(view) }
        _ = (answer.asked(), answer.lines(), answer.wasReleased())
        _ = answer.registerReply()
        _ = answer.wasUnregistered()
        _ = answer.nodeNames()
    }

    private func requireSound(_ view: LedgerView) throws {
        try require(view.entry?.isSound ?? true, "ledger \(view)")
    }

    private func requireUsable(fence: Int64) throws {
        try require((0...AcquireRequest.FenceRequest.largest).contains(fence), "fence \(fence)")
    }

    /// What a waiter does with what it sees.
    private func follow(_ sighting: Sighting, at serverTime: Int64) throws {
        try requireUsable(fence: sighting.fence)
        _ = Instant(nanoseconds: 1) + (sighting.timeToLive ?? .zero) + (sighting.timeout ?? .zero)
    }
}
