// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a keeper knows of a workload that speaks `sd_notify`, and until when that must speak again.
///
/// As with a service of systemd's, the watchdog begins with `READY=1`. Before it, a start has the time that systemd
/// gives one, 90 s, or the watchdog's if that is longer, and `EXTEND_TIMEOUT_USEC=` for more.
package struct WorkloadWatch: Equatable, Sendable {
    /// What is shown of it.
    private struct Word: Equatable, Sendable {
        var isReady = false
        var status = ""
    }

    private let interval: Duration?
    private var word = Word()
    /// What the daemon was told last, if there was one to be told.
    private var told = Word()
    /// The daemon is told no earlier than that, so that a workload that talks all the time does not make others busy.
    private var quietUntil: Instant?
    /// When it is hung; nil: it is not watched, or not yet, or no more.
    package private(set) var hangsAt: Instant?

    private static let startTime = Duration.seconds(90)
    private static let pause = Duration.milliseconds(200)

    /// - Parameter interval: `run.watchdog`; nil: the workload may be silent.
    package init(interval: Duration?) { self.interval = interval }

    /// The program runs.
    package mutating func began(at now: Instant) { beAlive(at: now) }

    package mutating func heard(_ notice: WorkloadNotice, at now: Instant) {
        let isStart = notice.isReady && !word.isReady
        if notice.isReady { word.isReady = true }
        if let status = notice.status { word.status = status }
        if isStart || notice.health == .alive { beAlive(at: now) }
        if let hangsAt, let more = notice.extends { self.hangsAt = max(hangsAt, now + more) }
        if notice.health == .hung { hangsAt = now }
    }

    private mutating func beAlive(at now: Instant) {
        guard let interval else { return }
        let next = now + (word.isReady ? interval : max(interval, Self.startTime))
        // What was asked for with EXTEND_TIMEOUT_USEC stands; but not beyond the start.
        hangsAt = word.isReady ? next : max(next, hangsAt ?? next)
    }

    package func isHung(at now: Instant) -> Bool { hangsAt.map { now >= $0 } ?? false }

    /// When the daemon may be told what it does not know yet; nil: there is nothing, or it may be told at once.
    package var nextNews: Instant? { word == told ? nil : quietUntil }

    /// What the daemon does not know yet, if it may be told now.
    package mutating func news(at now: Instant) -> [KeeperReport] {
        if word == told { return [] }
        if let quietUntil, now < quietUntil { return [] }
        quietUntil = now + Self.pause
        return tell()
    }

    /// What a daemon that has just come does not know.
    package mutating func summary() -> [KeeperReport] { word == Word() ? [] : tell() }

    private mutating func tell() -> [KeeperReport] {
        told = word
        return [.notified(isReady: word.isReady, status: word.status)]
    }
}
