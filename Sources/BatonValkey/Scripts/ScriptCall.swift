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

    /// - Parameter keys: with its companions, or the lock's own alone, when they are not in use.
    private init(_ script: Script, _ keys: LockKeys, withCompanions: Bool) {
        self.script = script
        command = Command()
        command.reserve(words: 24, bytes: 512)
        command.append("EVALSHA")
        command.append(script.digest)
        command.append(withCompanions ? "5" : "1")
        command.append(keys.lock)
        guard withCompanions else { return }
        for companion in [keys.fence, keys.epoch, keys.holder, keys.mark] { command.append(companion) }
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
        var call = ScriptCall(.acquire, keys, withCompanions: true)
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
        var call = ScriptCall(
            .renew, keys, withCompanions: guarding != nil || request.fence != 0 || holder != nil)
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
        return call
    }

    static func release(_ request: ReleaseRequest) throws(LockError) -> ScriptCall {
        try request.check()
        var call = ScriptCall(
            .release, request.keys, withCompanions: request.guarding || request.mark != nil)
        call.command.append(request.token)
        call.command.append(request.guarding)
        call.append(request.mark)
        return call
    }

    static func look(at keys: LockKeys) -> ScriptCall { ScriptCall(.look, keys, withCompanions: true) }

    static func set(_ mark: Mark?, on keys: LockKeys) -> ScriptCall {
        var call = ScriptCall(.mark, keys, withCompanions: true)
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

extension ScriptCall {
    /// Never fewer than asked for: the server must not forget before the holder stops.
    static func milliseconds(_ duration: Duration) -> Int64 {
        let nanoseconds = duration.nanoseconds
        return nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 > 0 ? 1 : 0)
    }
}
