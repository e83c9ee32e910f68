// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Raw bytes: a token, a key, a record.
public typealias Bytes = [UInt8]

/// The names under which a store keeps one lock and its companions. All share one hash slot of a Valkey cluster.
///
/// A class, because every request carries it, and nobody changes it.
public final class LockKeys: Hashable, Sendable {
    /// The lock itself: its value is the holder's token. Also the channel on which a release is announced.
    public let lock: Bytes
    /// The largest fence that was granted.
    public let fence: Bytes
    /// The epoch record (identity, nonce, `max_lock_timeout`) and, in the same key, the owner records.
    public let epoch: Bytes
    /// Who holds the lock, for people; believed only if its token is the lock's value.
    public let holder: Bytes
    /// A mark that keeps daemons from being granted the lock: held down, finished, cooling down.
    public let mark: Bytes

    /// The keys of a lock used as a library: the lock's key is the name itself, as valkey-py has it. Nothing is
    /// checked.
    ///
    /// A name with a hash tag of its own (`{app}:report`) keeps it; otherwise the whole name becomes the companions' tag.
    public init(name: Bytes) {
        let tagged = LockKeys.hasHashTag(name) ? name : Bytes("{".utf8) + name + Bytes("}".utf8)
        lock = name
        fence = tagged + Bytes(":fence".utf8)
        epoch = tagged + Bytes(":epoch".utf8)
        holder = tagged + Bytes(":holder".utf8)
        mark = tagged + Bytes(":mark".utf8)
    }

    /// The keys of a job: `{PREFIX}:JOB:lock` and so on, with one epoch record for the whole prefix.
    public init(prefix: String, job: String) {
        let stem = "{\(prefix)}:\(job)"
        lock = Bytes("\(stem):lock".utf8)
        fence = Bytes("\(stem):fence".utf8)
        epoch = Bytes("{\(prefix)}:epoch".utf8)
        holder = Bytes("\(stem):holder".utf8)
        mark = Bytes("\(stem):mark".utf8)
    }

    /// What became of a scheduled job's last tick (rule S8). Only requests about ticks name it.
    public var ledger: Bytes { companion("ledger") }
    /// Lines about a job's last runs.
    public var runs: Bytes { companion("runs") }

    /// Not stored: few locks have one.
    private func companion(_ name: String) -> Bytes { Bytes(fence.dropLast("fence".utf8.count)) + Bytes(name.utf8) }

    private static func hasHashTag(_ name: Bytes) -> Bool {
        guard let open = name.firstIndex(of: UInt8(ascii: "{")) else { return false }
        guard let close = name[open...].firstIndex(of: UInt8(ascii: "}")) else { return false }
        return close > open + 1
    }

    /// Keys are the same when all their names are.
    public static func == (left: LockKeys, right: LockKeys) -> Bool {
        left === right
            || left.lock == right.lock && left.fence == right.fence && left.epoch == right.epoch
                && left.holder == right.holder && left.mark == right.mark
    }

    /// By the lock's own key.
    public func hash(into hasher: inout Hasher) { hasher.combine(lock) }
}
