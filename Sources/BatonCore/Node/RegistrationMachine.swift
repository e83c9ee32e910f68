// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// One node's registration: what is sent next, and whether this daemon may use the node's name.
///
/// A daemon that meets another one's record takes it for what its own predecessor left, as after a quick reboot, until
/// that would have run out. From then on it knows that a second daemon of its name is alive, and is barred from new
/// runs until the name is free.
package struct RegistrationMachine: Equatable, Sendable {
    /// How long a node is known that says nothing.
    package static let timeToLive = Duration.seconds(15)
    /// How often it says that it is alive.
    package static let interval = Duration.seconds(5)
    /// For how long another's record may be nobody's.
    static let patience = timeToLive + interval

    package enum Verdict: Equatable, Sendable {
        /// Another live daemon, of this instance, has the name.
        case barred(by: String)
        /// The name is this daemon's.
        case admitted
    }

    private enum State: Equatable, Sendable {
        /// Nothing of ours is in the store, as far as is known.
        case absent
        case registered(Bytes)
        case contested(since: Instant)
        case barred(by: String)
    }
    private var state = State.absent

    package init() {}

    /// The record to send with the next request; nil: only that we are alive.
    package func wanted(_ record: Bytes) -> Bytes? {
        switch state {
        case .absent: record
        case .registered(let sent): sent == record ? nil : record
        // As long as the other one lives the answer is no: there is no need to send it all.
        case .contested, .barred: nil
        }
    }

    /// The store's answer to a request with this record, or without one. Returns what has changed for the jobs.
    package mutating func handle(_ reply: RegisterReply, to record: Bytes?, at now: Instant) -> Verdict? {
        switch (reply, state) {
        case (.registered, .absent), (.registered, .registered), (.registered, .contested):
            if let record { state = .registered(record) }
            return nil
        case (.registered, .barred):
            state = record.map { .registered($0) } ?? .absent
            return .admitted
        case (.unknown, .absent), (.unknown, .registered), (.unknown, .contested):
            state = .absent
            return nil
        case (.unknown, .barred):
            // The name is free. Should somebody else be quicker, it begins anew.
            state = .absent
            return .admitted
        case (.taken, .absent), (.taken, .registered):
            state = .contested(since: now)
            return nil
        case (.taken(let other), .contested(let since)):
            guard now - since >= RegistrationMachine.patience else { return nil }
            state = .barred(by: other)
            return .barred(by: other)
        case (.taken(let other), .barred(let before)):
            state = .barred(by: other)
            return other == before ? nil : .barred(by: other)
        }
    }
}
