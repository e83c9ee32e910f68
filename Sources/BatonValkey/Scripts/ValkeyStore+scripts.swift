// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import NIOCore

extension ValkeyStore {
    /// Runs a script: by its digest, and by its text when the server does not know it.
    ///
    /// - Parameters:
    ///   - keys: the lock that errors name; nil: none.
    ///   - isConfirmed: whether it may be a yes, which counts only when the replicas have it.
    ///   - read: what the answer means; nil: nothing that makes sense.
    func run<Value>(
        _ call: ScriptCall, on keys: LockKeys?, timeout: Duration, isConfirmed: Bool = false,
        _ read: (ScriptAnswer) throws(LockError) -> Value?
    ) async throws(LockError) -> Value {
        let question = serverClock.ask()
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        var commands = [call.command]
        if isConfirmed, let confirmation = confirmation(within: timeout) { commands.append(confirmation) }
        var outcome = await send(commands, isConfirmed: commands.count > 1, until: deadline)
        if case .success(let replies) = outcome, case .error(let message) = replies[0] {
            outcome = await sendAgain(
                commands, isConfirmed: commands.count > 1, unlessKnown: call.withText, after: message, deadline)
        }
        return try concluded(outcome, of: question, on: keys, read)
    }

    // Not inlined: its variables would be part of every waiting request's frame.
    @inline(never)
    private func concluded<Value>(
        _ outcome: Result<[Reply], LockError>, of question: StoreClock.Question, on keys: LockKeys?,
        _ read: (ScriptAnswer) throws(LockError) -> Value?
    ) throws(LockError) -> Value {
        do throws(LockError) {
            let replies = try outcome.get()
            guard var answer = ScriptAnswer(replies[0]) else { throw nonsense() }
            answer.time = serverClock.heard(answer.time.microseconds, inAnswerTo: question)
            if answer.word == "blind" { throw infoRefused }
            guard let value = try read(answer) else { throw nonsense() }
            if replies.count > 1 { try checkConfirmed(replies) }
            return value
        } catch {
            throw keys?.error(error.code, error.message) ?? error
        }
    }

    /// Sends commands, again while the server says that it will pass.
    ///
    /// - Parameter isConfirmed: as ``send(_:isConfirmed:until:)`` has it.
    func exchange(
        _ commands: [Command], isConfirmed: Bool = false, about keys: LockKeys?, timeout: Duration
    ) async throws(LockError) -> [Reply] {
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        var outcome = await send(commands, isConfirmed: isConfirmed, until: deadline)
        if case .success(let replies) = outcome, case .error(let message) = replies[0] {
            outcome = await sendAgain(
                commands, isConfirmed: isConfirmed, unlessKnown: nil, after: message, deadline)
        }
        do { return try outcome.get() } catch { throw keys?.error(error.code, error.message) ?? error }
    }

    /// After an error in answer to the first of the commands. Sending again is safe: an error reply is given for what
    /// was not applied.
    private func sendAgain(
        _ commands: [Command], isConfirmed: Bool, unlessKnown fallback: Command?, after message: String,
        _ deadline: NIODeadline
    ) async -> Result<[Reply], LockError> {
        var (commands, fallback, message) = (commands, fallback, message)
        var backoff = Backoff(longest: .milliseconds(200))
        while true {
            let error = ServerError(message)
            switch error.kind {
            case .noScript:
                guard let command = fallback else { return .failure(error.lockError(peer: configuration.peer)) }
                commands[0] = command
                fallback = nil
            case .passing, .wrongServer:
                let pause = backoff.pause(chance: .random(in: 0...1))
                // Time for an answer must be left as well: one that comes too late would be an unknown outcome.
                guard NIODeadline.now() + TimeAmount(pause * 2) < deadline, (try? await Task.sleep(for: pause)) != nil
                else {
                    return .failure(error.lockError(peer: configuration.peer))
                }
            case .notPermitted, .refused: return .failure(error.lockError(peer: configuration.peer))
            }
            let outcome = await send(commands, isConfirmed: isConfirmed, until: deadline)
            guard case .success(let replies) = outcome, case .error(let next) = replies[0] else { return outcome }
            message = next
        }
    }

    /// The error of a request whose answer means nothing: the server has done something, and nobody knows what.
    ///
    /// Whether later answers belong to their questions is not known either, so the connection is given up.
    func nonsense() -> LockError {
        let message = "\(configuration.peer) gave an answer that makes no sense"
        giveUpConnection(because: message)
        return LockError(.unknownOutcome, message)
    }

    private var infoRefused: LockError {
        LockError(
            .notPermitted,
            "\(configuration.peer) does not let this user ask INFO, which the guard needs (+info in the user's ACL)")
    }
}

extension LockKeys {
    /// An error about this lock.
    func error(_ code: LockError.Code, _ message: String) -> LockError {
        LockError(code, lock: printable(String(decoding: lock, as: UTF8.self)), message)
    }
}
