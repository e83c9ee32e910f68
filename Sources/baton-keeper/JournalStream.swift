// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// One of a workload's streams, cut into lines for the journal.
///
/// A journal without room is given a moment, in which the stream is not read on: so nothing is lost that it takes at its
/// own speed. One that stays so is hung, and lines are dropped and counted, until it takes one again.
struct JournalStream {
    private enum Flow: Equatable {
        case flowing
        case held(since: Instant)
        case dropping
    }

    private let fields: JournalFields
    private var cutter = LineCutter()
    private var flow = Flow.flowing
    /// The line that there was no room for.
    private var waiting: (line: Bytes, end: LineCutter.Break)?
    /// What was read behind it.
    private var backlog: Bytes = []
    private var dropped = (lines: 0, bytes: 0)
    /// When a journal that hangs was last tried. Once in a turn is enough.
    private var triedAt: Instant?

    /// A journal is given so long to make room.
    static let patience = Duration.seconds(1)

    init(_ fields: JournalFields) { self.fields = fields }

    /// Whether there is something that the journal has no room for.
    var isHeld: Bool { waiting != nil }

    mutating func append(_ bytes: UnsafeRawBufferPointer, to journal: inout JournalSocket, at now: Instant) {
        if isHeld { backlog += bytes } else { cut(bytes, journal: &journal, at: now) }
    }

    /// Passes on what there is, as far as the journal takes it.
    mutating func goOn(to journal: inout JournalSocket, at now: Instant) {
        guard let held = waiting else { return }
        waiting = nil
        held.line.withUnsafeBytes { send($0, held.end, &journal, at: now) }
        if isHeld { return }
        let rest = backlog
        backlog = []
        rest.withUnsafeBytes { cut($0, journal: &journal, at: now) }
    }

    /// The stream is over: its last line may have no end. Nothing runs any more, so this may wait for a journal without
    /// room, as long as it has patience: the last lines are those that say why a run ended.
    mutating func finish(to journal: inout JournalSocket, since start: Instant) {
        wait(for: &journal, since: start)
        cutter.finish { line, end in
            waiting = (Bytes(line), end)
        }
        goOn(to: &journal, at: BootClock.now())
        wait(for: &journal, since: start)
        if dropped.lines > 0 { _ = tellDropped(&journal) }
    }

    private mutating func wait(for journal: inout JournalSocket, since start: Instant) {
        while isHeld {
            var room = pollfd(fd: journal.descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&room, 1, 50)
            let now = BootClock.now()
            if now - start > Self.patience { flow = .dropping }
            goOn(to: &journal, at: now)
        }
    }

    private mutating func cut(_ bytes: UnsafeRawBufferPointer, journal: inout JournalSocket, at now: Instant) {
        var rest = bytes
        var cutter = cutter
        // Taken out of self for the while, so that the line is not copied.
        self.cutter = LineCutter()
        while !isHeld, cutter.next(of: &rest, { send($0, $1, &journal, at: now) }) != nil {}
        self.cutter = cutter
        backlog += rest
    }

    /// Sends a line, drops it, or keeps it to be tried again. Empty lines are left out, as systemd does.
    private mutating func send(
        _ line: UnsafeRawBufferPointer, _ end: LineCutter.Break, _ journal: inout JournalSocket, at now: Instant
    ) {
        if line.isEmpty { return }
        if flow == .dropping, triedAt == now { return drop(line) }
        triedAt = now
        var outcome = dropped.lines == 0 ? JournalSocket.Outcome.taken : tellDropped(&journal)
        if outcome == .taken { outcome = journal.send(fields.head, line, fields.end(end)) }
        switch (outcome, flow) {
        case (.taken, _): flow = .flowing
        case (.lost, _): drop(line)
        case (.noRoom, .flowing):
            flow = .held(since: now)
            waiting = (Bytes(line), end)
        case (.noRoom, .held(let since)) where now - since < Self.patience: waiting = (Bytes(line), end)
        case (.noRoom, .held), (.noRoom, .dropping):
            flow = .dropping
            drop(line)
        }
    }

    private mutating func drop(_ line: UnsafeRawBufferPointer) {
        dropped.lines += 1
        dropped.bytes += line.count
    }

    private mutating func tellDropped(_ journal: inout JournalSocket) -> JournalSocket.Outcome {
        let outcome = journal.send(fields.note(ofLines: dropped.lines, bytes: dropped.bytes))
        if outcome == .taken { dropped = (0, 0) }
        return outcome
    }
}
