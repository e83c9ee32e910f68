// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

/// Follows a job's output on this node: across the end of a run, and the start of the next one.
///
/// It asks for more only when its reader has taken what there was, and so it never has more than one piece. The keeper
/// remembers 64 KiB; a reader who is slower than that is told how much they missed.
struct OutputFollower: FollowedOutput {
    private let backend: DaemonBackend
    private let job: String
    /// So many lines of what was there before; nil once they were shown.
    private var linesBefore: Int?
    /// The run that is shown, and how much of its output was.
    private var place: (runID: String, next: UInt64)?
    private var seen = OutputDesk.Seen.nothing
    /// What is to be said next.
    private var frames: [LogFrame] = []
    private var lastFrame = BootClock.now()
    private var lastNote = ""
    private var idleSince: Instant?
    /// Before the next look.
    private var pause = Duration.zero
    private var isOver = false
    private let watch = Watch()

    /// Between two questions to a keeper that had nothing new, and to one that had little.
    private static let pause = Duration.milliseconds(100)
    private static let shortPause = Duration.milliseconds(20)
    private static let much = 16 << 10
    /// So often something is sent in any case: to find out that nobody is there any more.
    private static let signOfLife = Duration.seconds(5)
    /// A job is between two runs for so long, before it is worth saying that it does not run.
    private static let patience = Duration.seconds(2)

    init(backend: DaemonBackend, job: String, lines: Int) {
        self.backend = backend
        self.job = job
        linesBefore = lines
    }

    mutating func next() async throws -> LogFrame? {
        while frames.isEmpty {
            try await Task.sleep(for: pause)
            if isOver { return nil }
            try await look()
            if BootClock.now() - lastFrame > Self.signOfLife { frames.append(LogFrame()) }
        }
        lastFrame = BootClock.now()
        return frames.removeFirst()
    }

    func close() { watch.replace(by: nil) }

    private mutating func look() async throws {
        pause = Self.pause
        let runner = backend.board.awakened(job)
        watch.replace(by: runner)
        guard let runner else {
            // Disabled, or about to begin with another definition; or gone.
            if backend.context.board.job(job) != nil { return await nothing() }
            isOver = true
            return frames.append(.note("there is no job \(job) on this node any more"))
        }
        switch await runner.output(of: place?.runID, after: place?.next ?? 0, seen: seen) {
        case .piece(let piece):
            show(piece)
            if !piece.bytes.isEmpty { pause = piece.bytes.count < Self.much ? Self.shortPause : .zero }
        case .ended(let piece):
            if let piece { show(piece) } else { frames.append(.note("the end of this run's output could not be read")) }
            if let place { frames.append(.ended(place.runID)) }
            seen = .all(of: place?.runID)
            place = nil
        case .nothing(let ended):
            if case .nothing = seen { seen = .all(of: ended) }
            await nothing()
        case nil: await nothing()
        }
    }

    private mutating func show(_ piece: OutputDesk.Piece) {
        idleSince = nil
        var bytes = piece.bytes
        var missed: UInt64 = 0
        if let place {
            // A run's last output comes whole, from further back than was asked for.
            bytes = Bytes(bytes.dropFirst(Int(clamping: max(place.next, piece.from) - piece.from)))
            missed = max(place.next, piece.from) - place.next
        } else {
            frames.append(.run(piece.runID, fence: piece.fence))
            if let lines = linesBefore { bytes = bytes.lastLines(lines) } else { missed = piece.from }
            linesBefore = nil
        }
        place = (piece.runID, max(place?.next ?? 0, piece.from + UInt64(piece.bytes.count)))
        if missed > 0 {
            // From the beginning of a line.
            let cut = bytes.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
            bytes.removeFirst(cut)
            frames.append(.skipped(missed + UInt64(cut)))
        }
        if !bytes.isEmpty { frames.append(.output(bytes)) }
    }

    /// It does not run here. The first time, the last run's output is shown; and it is said where the job is.
    private mutating func nothing() async {
        let now = BootClock.now()
        let since = idleSince ?? now
        idleSince = since
        let isFirst = linesBefore != nil
        if let lines = linesBefore, place == nil {
            linesBefore = nil
            if let tail = await backend.context.runs.lastTail(job: job), !tail.isEmpty {
                frames.append(.output(tail.lastLines(lines)))
            }
        }
        guard isFirst || now - since > Self.patience, let shown = backend.context.board.job(job) else { return }
        let elsewhere = shown.state == .standby ? await backend.whereElse(job) : nil
        let note =
            elsewhere.map { "\($0), and its output is there" } ?? "\(job) does not run here: \(shown.state.rawValue)"
        if note == lastNote { return }
        lastNote = note
        frames.append(.note(note + "; waiting for a run on \(backend.context.name)"))
    }

    /// The runner that was told that somebody follows. A reload may put another in its place.
    private final class Watch: Sendable {
        private let runner = Mutex<JobRunner?>(nil)

        func replace(by new: JobRunner?) {
            let old = runner.withLock { runner in
                defer { runner = new }
                return runner
            }
            if old === new { return }
            old?.addFollowers(-1)
            new?.addFollowers(1)
        }
    }
}
