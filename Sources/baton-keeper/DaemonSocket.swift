// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// The connection to the daemon that is obeyed, and the door for the next one.
struct DaemonSocket {
    /// Where later daemons come in; −1: it could not be made.
    let listener: Int32
    /// The newest connection; −1: there is none.
    private(set) var connection: Int32
    /// What the daemon has not taken yet. A daemon that hangs must not hold the keeper up.
    private var unsent: [Bytes] = []

    /// What one look at the connection brought.
    enum Receipt {
        case order(KeeperOrder)
        case nothing
        case gone
    }

    init(connection: Int32) {
        self.connection = connection
        unlink(RunFile.control)
        listener = clinux_unix_listen(AT_FDCWD, RunFile.control, Int32(SOCK_SEQPACKET.rawValue), 0o600)
    }

    var wantsToSend: Bool { !unsent.isEmpty }

    /// Lets a daemon in, in place of the one before. False: nobody was there, or somebody who may not.
    mutating func accept() -> Bool {
        let newcomer = clinux_accept(listener)
        if newcomer < 0 { return false }
        var uid: uid_t = .max
        if clinux_peer_uid(newcomer, &uid) != 0 || (uid != 0 && uid != geteuid()) {
            close(newcomer)
            return false
        }
        disconnect()
        connection = newcomer
        return true
    }

    mutating func disconnect() {
        if connection >= 0 { close(connection) }
        connection = -1
        unsent = []
    }

    /// The next order, without waiting for one. A packet that is none, or of another version, is passed over.
    mutating func receive() -> Receipt {
        if connection < 0 { return .nothing }
        return withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
            while true {
                let count = clinux_receive(connection, buffer.baseAddress, buffer.count)
                if count > 0 {
                    guard let order = try? KeeperOrder(decoding: Bytes(buffer[..<count])) else { continue }
                    return .order(order)
                }
                if count == -Int(EAGAIN) || count == -Int(EINTR) { return .nothing }
                if count == -Int(EMSGSIZE) { continue }
                return .gone
            }
        }
    }

    mutating func send(_ report: KeeperReport) {
        if connection < 0 { return }
        // A tail that can't be taken now can be asked for again; everything else is small.
        switch report {
        case .tail, .output: if !unsent.isEmpty { return }
        case .hello, .started, .startFailed, .ended, .notified: break
        }
        unsent.append(report.encode())
        flush()
    }

    /// Sends what it can. A connection that is broken shows itself when it is read.
    mutating func flush() {
        while let packet = unsent.first {
            let sent = clinux_send(connection, packet, packet.count)
            if sent == -Int(EAGAIN) || sent == -Int(EINTR) { return }
            unsent.removeFirst()
        }
    }
}

/// Where the workload can ask whether its lease holds. It is never read from: connecting is the question.
struct HeldSocket {
    /// −1: it could not be made.
    let listener: Int32

    init(for identity: LaunchSpec.Identity?) {
        unlink(RunFile.held)
        listener = clinux_unix_listen(AT_FDCWD, RunFile.held, Int32(SOCK_STREAM.rawValue), 0o600)
        if let identity { chown(RunFile.held, identity.uid, identity.gid) }
    }

    /// Answers one asker: `held MILLISECONDS` or `lost 0`, and closes.
    func answer(deadline: Instant?, now: Instant) {
        let asker = clinux_accept(listener)
        if asker < 0 { return }
        let left = deadline.map { ($0 - now).milliseconds } ?? 0
        let line = left > 0 ? "held \(left)\n" : "lost 0\n"
        _ = clinux_send(asker, line, line.utf8.count)
        close(asker)
    }
}
