// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// Takes the workload's output from two pipes to the journal, and keeps the last of it on the board.
///
/// It never waits: not for more output, and not for a journal that is full; lines that the journal did not take are
/// counted, and the count is told as soon as it takes one again.
final class OutputPump {
    private struct Stream {
        /// The pipe's end to read from; −1: it was read to its end, or there never was one.
        var pipe: Int32 = -1
        var journal: JournalStream?
    }

    private let board: SharedBoard
    private var streams = [Stream(), Stream()]
    private var scratch: UnsafeMutableRawBufferPointer
    private static let portion = 16 << 10
    /// So many portions of a stream at a time: a chatty workload must not keep the keeper from its deadline.
    private static let portions = 4

    init(board: SharedBoard) {
        self.board = board
        scratch = .allocate(byteCount: Self.portion, alignment: 16)
    }

    /// The pipes to read from; −1 where there is none.
    var pipes: (out: Int32, err: Int32) { (streams[0].pipe, streams[1].pipe) }

    /// Makes the pipes of a start.
    ///
    /// - Returns: the workload's ends, to be closed after the fork; −1 each when its output goes into a file.
    func open(for spec: LaunchSpec) throws(StartFailure) -> (out: Int32, err: Int32) {
        if case .file = spec.output { return (-1, -1) }
        let journal = spec.output == .journal ? Journal(socket: spec.journalSocket) : nil
        var ends: [Int32] = []
        for (index, name) in ["stdout", "stderr"].enumerated() {
            var fds: [Int32] = [-1, -1]
            let error = clinux_pipe(&fds)
            if error != 0 {
                for end in ends { Glibc.close(end) }
                throw StartFailure(step: .resources, errno: -error)
            }
            _ = fcntl(fds[0], F_SETFL, O_NONBLOCK)
            streams[index].pipe = fds[0]
            streams[index].journal = journal.map { JournalStream($0, spec: spec, name: name) }
            ends.append(fds[1])
        }
        return (ends[0], ends[1])
    }

    /// Takes what is there, up to a bound.
    func pump() {
        for index in streams.indices { pump(index, portions: Self.portions) }
    }

    /// The run is over: takes what is left in the pipes without waiting for more, and closes them.
    func finish() {
        for index in streams.indices {
            // A process that is not of the run may still write into the pipe: no more than it held is taken.
            pump(index, portions: (1 << 20) / Self.portion)
            close(index)
        }
    }

    private func pump(_ index: Int, portions: Int) {
        for _ in 0..<portions where streams[index].pipe >= 0 {
            let count = read(streams[index].pipe, scratch.baseAddress, scratch.count)
            if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
            if count <= 0 { return close(index) }
            let portion = UnsafeRawBufferPointer(rebasing: scratch[..<count])
            board.append(portion)
            streams[index].journal?.append(portion)
        }
    }

    private func close(_ index: Int) {
        if streams[index].pipe < 0 { return }
        Glibc.close(streams[index].pipe)
        streams[index].pipe = -1
        streams[index].journal?.finish()
    }
}
