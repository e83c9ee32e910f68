// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

/// A script with its keys and arguments, as a command that names it by its digest.
///
/// The order of the arguments is the one in which ``Script``'s text takes them.
struct ScriptCall: Sendable {
    let script: Script
    private(set) var command: Command

    /// The same with the script's text, for a server that does not know it (yet, or any more).
    var withText: Command { command.replacing(first: 2, by: Array("EVAL".utf8), script.text) }

    /// Which of a lock's keys a script gets: those that it may touch.
    private enum Keys {
        case lockAlone, companions, ledger, ledgerAndHistory
    }

    private init(_ script: Script, _ keys: LockKeys, _ which: Keys) {
        self.script = script
        command = Command()
        command.reserve(words: 24, bytes: 512)
        command.append("EVALSHA")
        command.append(script.digest)
        switch which {
        case .lockAlone: command.append("1")
        case .companions: command.append("5")
        case .ledger: command.append("6")
        case .ledgerAndHistory: command.append("7")
        }
        command.append(keys.lock)
        if which == .lockAlone { return }
        for companion in [keys.fence, keys.epoch, keys.holder, keys.mark] { command.append(companion) }
        if which == .companions { return }
        command.append(keys.ledger)
        if which == .ledgerAndHistory { command.append(keys.runs) }
    }

    /// A script that is about no lock.
    init(_ script: Script, keys: [Bytes], arguments: [Bytes]) {
        self.script = script
        command = Command()
        command.append("EVALSHA")
        command.append(script.digest)
        command.append(Int64(keys.count))
        for word in keys + arguments { command.append(word) }
    }

    static func acquire(_ request: AcquireRequest) throws(LockError) -> ScriptCall {
        try request.check()
        let (keys, guarding) = (request.keys, request.guarding)
        var call =
            request.claim == nil
            ? ScriptCall(.acquire, keys, .companions) : ScriptCall(.acquireRun, keys, .ledgerAndHistory)
        call.command.append(request.token)
        call.command.append(request.tokenIsFresh)
        call.command.append(request.timeout.map { milliseconds($0) })
        call.command.append(request.notAfter)
        call.command.append(guarding != nil)
        call.command.append(guarding?.nonce ?? [])
        call.command.append(guarding?.claim ?? [])
        call.command.append(guarding.map { milliseconds($0.maxLockTimeout) })
        call.command.append(guarding == nil ? [] : Token.fresh())
        call.command.append(request.fence != nil)
        call.command.append(request.fence?.floor ?? 0)
        call.command.append(request.holder != nil)
        call.command.append(request.holder ?? [])
        call.command.append(request.heedsMarks)
        if let claim = request.claim { call.append(claim) }
        return call
    }

    static func renew(_ request: RenewRequest) throws(LockError) -> ScriptCall {
        try request.check()
        let keys = request.keys
        let (isAdding, amount) =
            switch request.change {
            case .reset(let length): (false, milliseconds(length))
            case .add(let more): (true, milliseconds(more))
            }
        let guarding = request.guarding
        let holder = request.successor?.holder ?? request.holder
        let usesCompanions = guarding != nil || request.fence != 0 || holder != nil
        var call =
            request.ledger == nil
            ? ScriptCall(.renew, keys, usesCompanions ? .companions : .lockAlone)
            : ScriptCall(.renewRun, keys, .ledger)
        call.command.append(request.token)
        call.command.append(isAdding ? "add" : "reset")
        call.command.append(amount)
        call.command.append(request.notAfter)
        call.command.append(guarding != nil)
        call.command.append(guarding.map { milliseconds($0.maxLockTimeout) })
        call.command.append(guarding == nil ? [] : Token.fresh())
        call.command.append(request.fence)
        call.command.append(request.successor?.token ?? [])
        call.command.append(holder != nil)
        call.command.append(holder ?? [])
        if let run = request.ledger { call.append(run) }
        return call
    }

    static func release(_ request: ReleaseRequest) throws(LockError) -> ScriptCall {
        try request.check()
        let usesCompanions = request.guarding || request.mark != nil
        var call =
            request.outcome == nil
            ? ScriptCall(.release, request.keys, usesCompanions ? .companions : .lockAlone)
            : ScriptCall(.releaseRun, request.keys, .ledgerAndHistory)
        call.command.append(request.token)
        call.command.append(request.guarding)
        call.append(request.mark)
        if let record = request.outcome {
            call.append(record.run)
            call.command.append(record.outcome)
            if let line = record.line { call.command.append(line) }
        }
        return call
    }

    static func look(at keys: LockKeys, withLedger: Bool) -> ScriptCall {
        withLedger ? ScriptCall(.lookAtRun, keys, .ledger) : ScriptCall(.look, keys, .companions)
    }

    static func set(_ mark: Mark?, on keys: LockKeys) -> ScriptCall {
        var call = ScriptCall(.mark, keys, .companions)
        call.append(mark)
        return call
    }

    static func restore(_ mark: Mark, on keys: LockKeys) -> ScriptCall {
        var call = ScriptCall(.restore, keys, .companions)
        call.append(mark)
        return call
    }

    /// Whether there is a mark; its kind, the microseconds it is to stand ("" for ever), failures, by whom.
    private mutating func append(_ mark: Mark?) {
        command.append(mark != nil)
        guard let mark else { return }
        command.append(Array(mark.kind.rawValue.utf8))
        command.append(mark.remaining.map { max(0, $0.nanoseconds / 1000) })
        command.append(Int64(mark.failures))
        command.append(Array(mark.by.utf8))
    }
}

/// About ledgers (rule S8).
extension ScriptCall {
    static func settle(_ request: SettleRequest) throws(LockError) -> ScriptCall {
        try request.check()
        var call = ScriptCall(.settle, request.keys, .ledgerAndHistory)
        call.command.append(request.guarding != nil)
        call.command.append(request.guarding.map { milliseconds($0.maxLockTimeout) })
        call.command.append(request.guarding == nil ? [] : Token.fresh())
        call.append(request.expected)
        call.command.append(request.floor)
        call.command.append(request.fence)
        call.command.append(request.tick)
        for line in request.lines { call.command.append(line) }
        return call
    }

    static func ask(_ request: AskRequest) throws(LockError) -> ScriptCall {
        try request.check()
        var call = ScriptCall(.ask, request.keys, .ledger)
        call.command.append(Array(request.by.utf8))
        call.command.append(request.call)
        return call
    }

    static func history(of keys: LockKeys, limit: Int) -> ScriptCall {
        ScriptCall(.history, keys: [keys.runs], arguments: [Bytes("\(limit)".utf8)])
    }

    /// What is expected, the run, the floor, and the lines.
    private mutating func append(_ claim: LedgerClaim) {
        append(claim.expected)
        append(claim.entry(fence: 0, at: 0))
        command.append(claim.floor)
        for line in claim.lines { command.append(line) }
    }

    /// As the script writes the key of an entry; empty: none was seen.
    private mutating func append(_ key: LedgerEntry.Key?) {
        command.append(
            Array((key.map { "\($0.tick):\($0.attempt):\($0.fence):\($0.hasOutcome ? 1 : 0)" } ?? "").utf8))
    }

    /// Six words.
    private mutating func append(_ run: LedgerEntry) {
        command.append(run.tick)
        command.append(Int64(run.attempt))
        command.append(run.manual)
        command.append(run.fence)
        command.append(run.changed)
        command.append(run.info)
    }
}

extension ScriptCall {
    /// Never fewer than asked for: the server must not forget before the holder stops.
    static func milliseconds(_ duration: Duration) -> Int64 {
        let nanoseconds = duration.nanoseconds
        return nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 > 0 ? 1 : 0)
    }
}
