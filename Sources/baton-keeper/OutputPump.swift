// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// Takes the workload's output from two pipes to the journal, and keeps the last of it on the board.
///
/// It never waits: not for more output, and not for a journal that is full.
final class OutputPump {
    private struct Stream {
        /// The pipe's end to read from; −1: it was read to its end, or there never was one.
        var pipe: Int32 = -1
        var journal: JournalStream?
    }

    private let board: SharedBoard
    private var streams = [Stream(), Stream()]
    private var journal: JournalSocket?
    private static let names = ["stdout", "stderr"]
    private var scratch: UnsafeMutableRawBufferPointer
    private static let portion = 16 << 10
    /// So many portions of a stream at a time: a chatty workload must not keep the keeper from its deadline.
    private static let portions = 4

    init(board: SharedBoard) {
        self.board = board
        scratch = .allocate(byteCount: Self.portion, alignment: 16)
    }

    /// What to wait for: the pipes to read from, or the journal, where it is its turn; −1 where there is nothing.
    func watched(_ index: Int) -> pollfd {
        if let journal, isHeld(index) { return pollfd(fd: journal.descriptor, events: Int16(POLLOUT), revents: 0) }
        return pollfd(fd: streams[index].pipe, events: Int16(POLLIN), revents: 0)
    }

    /// Whether something must be looked at again soon, though nothing happens.
    var isHeld: Bool { streams.indices.contains(where: isHeld) }

    private func isHeld(_ index: Int) -> Bool { streams[index].journal?.isHeld == true }

    /// Makes the pipes of a start.
    ///
    /// - Returns: the workload's ends, to be closed after the fork; −1 each when its output goes into a file.
    func open(for spec: LaunchSpec) throws(StartFailure) -> (out: Int32, err: Int32) {
        if case .file = spec.output { return (-1, -1) }
        journal = spec.output == .journal ? JournalSocket(path: spec.journalSocket) : nil
        var ends: [Int32] = []
        for index in streams.indices {
            var fds: [Int32] = [-1, -1]
            let error = clinux_pipe(&fds)
            if error != 0 {
                for end in ends { Glibc.close(end) }
                throw StartFailure(step: .resources, errno: -error)
            }
            _ = fcntl(fds[0], F_SETFL, O_NONBLOCK)
            streams[index].pipe = fds[0]
            ends.append(fds[1])
        }
        return (ends[0], ends[1])
    }

    /// The workload was forked: now it is known whose output it is.
    func began(_ spec: LaunchSpec, pid: Int32?) {
        if journal == nil { return }
        for index in streams.indices {
            streams[index].journal = JournalStream(JournalFields(spec, stream: Self.names[index], pid: pid))
        }
    }

    /// Takes what is there, up to a bound.
    func pump() {
        for index in streams.indices { pump(index, portions: Self.portions) }
    }

    /// The run is over: takes what is left in the pipes without waiting for more, and closes them. Only here, where
    /// nothing runs any more, may the journal be waited for.
    func finish() {
        let start = BootClock.now()
        for index in streams.indices {
            // A process that is not of the run may still write into the pipe: no more than it held is taken.
            pump(index, portions: (1 << 20) / Self.portion, final: true)
            close(index)
            withJournal(of: index) { $0.finish(to: &$1, since: start) }
            streams[index].journal = nil
        }
        journal?.close()
        journal = nil
    }

    private func withJournal(of index: Int, _ body: (inout JournalStream, inout JournalSocket) -> Void) {
        guard var stream = streams[index].journal, var socket = journal else { return }
        // Out of their places, so that nothing is copied for the change.
        streams[index].journal = nil
        body(&stream, &socket)
        streams[index].journal = stream
        journal = socket
    }

    private func pump(_ index: Int, portions: Int, final: Bool = false) {
        let now = BootClock.now()
        if isHeld(index) { withJournal(of: index) { $0.goOn(to: &$1, at: now) } }
        for _ in 0..<portions where streams[index].pipe >= 0 {
            if isHeld(index) && !final { return }
            let count = read(streams[index].pipe, scratch.baseAddress, scratch.count)
            if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
            if count <= 0 { return close(index) }
            let portion = UnsafeRawBufferPointer(rebasing: scratch[..<count])
            board.append(portion)
            withJournal(of: index) { $0.append(portion, to: &$1, at: now) }
        }
    }

    private func close(_ index: Int) {
        if streams[index].pipe < 0 { return }
        Glibc.close(streams[index].pipe)
        streams[index].pipe = -1
    }
}
