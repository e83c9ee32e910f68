// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What went wrong with a lock, or with the store behind it. The seed's `LockError`, its subclasses and the client's
/// errors in one: ``code-swift.property`` tells them apart.
///
/// A lock that somebody else holds is not an error: ``Lock/acquire(_:sleep:token:)-(_,_,[UInt8]?)`` returns false.
public struct LockError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds of error. More may come: keep a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        enum Kind: String, Sendable {
            case invalidArgument, notAcquired, notHeld, noTimeout, notOwned
            case unreachable, timedOut, unknownOutcome, unavailable, refused, notPermitted, protocolViolation, closed
        }
        let kind: Kind
        init(_ kind: Kind) { self.kind = kind }

        /// A parameter that can never work; nothing was sent. (The seed sends most of them: see
        /// <doc:ComingFromValkeyPy>.)
        public static var invalidArgument: Code { Code(.invalidArgument) }
        /// ``Lock/withLock(_:sleep:_:)`` could not get the lock in the time allowed. (The seed's `LockError` of
        /// `with`.)
        public static var notAcquired: Code { Code(.notAcquired) }
        /// This `Lock` holds nothing that could be released, extended or reacquired. (The seed's `LockError`.)
        public static var notHeld: Code { Code(.notHeld) }
        /// A lock without a timeout has nothing to extend or reacquire. (The seed's `LockError`.)
        public static var noTimeout: Code { Code(.noTimeout) }
        /// The lock is another's, or nobody's, by now. (The seed's `LockNotOwnedError`.)
        public static var notOwned: Code { Code(.notOwned) }
        /// The store was not reached, or did not answer: nothing was applied, or it was undone. (The client's
        /// `ConnectionError` and `TimeoutError`, which leave open what was applied.)
        public static var unreachable: Code { Code(.unreachable) }
        /// The request was sent and no answer came, or one that makes no sense, or the connection broke: it may have
        /// been applied. (The seed has no word for it.)
        public static var unknownOutcome: Code { Code(.unknownOutcome) }
        /// The store answered that it can't just now: loading, read-only after a failover, busy, without its memory of
        /// a guarded lock. Or: this machine's clock is being slewed by more than a lease allows for. Asking again may
        /// help. (The client's `BusyLoadingError`, `ReadOnlyError` and the like.)
        public static var unavailable: Code { Code(.unavailable) }
        /// The store answered that it will not, and why: out of memory, wrong type, another `maxLockTimeout`, … (The
        /// client's `ResponseError`.)
        public static var refused: Code { Code(.refused) }
        /// Wrong password, missing permission, or a certificate that does not fit. (The client's `AuthenticationError`
        /// and `NoPermissionError`.)
        public static var notPermitted: Code { Code(.notPermitted) }
        /// The other side does not speak the protocol.
        public static var protocolViolation: Code { Code(.protocolViolation) }
        /// The store was shut down.
        public static var closed: Code { Code(.closed) }

        /// The code's name, as it is written here.
        public var description: String { kind.rawValue }
    }

    /// What kind of error this is.
    public let code: Code
    /// The name of the lock it is about; nil when it is about none. The seed's `lock_name`.
    public let lock: String?
    /// A sentence for people. Never holds a password. The seed's `message`.
    public let message: String

    /// An error about `lock`, or about the store as a whole.
    public init(_ code: Code, lock: String? = nil, _ message: String) {
        self.code = code
        self.lock = lock
        self.message = message
    }

    /// The message, with the lock's name in front.
    public var description: String { lock.map { "\($0): \(message)" } ?? message }
}

extension LockError {
    /// Whether asking again, a little later, may help.
    package var isPassing: Bool {
        switch code.kind {
        case .unreachable, .timedOut, .unknownOutcome, .unavailable: true
        case .invalidArgument, .notAcquired, .notHeld, .noTimeout, .notOwned, .refused, .notPermitted,
            .protocolViolation, .closed:
            false
        }
    }
}
