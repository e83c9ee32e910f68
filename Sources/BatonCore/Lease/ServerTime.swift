// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a server's clock showed when it gave an answer.
public struct ServerTime: Hashable, Sendable {
    /// Microseconds, on whatever clock the server counts TTLs.
    public var microseconds: Int64
    /// Whose clock it is: times of different ones say nothing about each other.
    public var clock: Int

    /// A time on one clock.
    public init(microseconds: Int64, clock: Int = 0) {
        self.microseconds = microseconds
        self.clock = clock
    }
}

/// What an answer says of the server's clock to who knows when it came. By then the server's clock showed as much at
/// least: the answer may have been under way, or have lain in our own buffer.
package struct ClockReading: Hashable, Sendable {
    package var time: ServerTime
    package var arrival: Instant

    package init(_ time: ServerTime, arrival: Instant) {
        self.time = time
        self.arrival = arrival
    }

    /// What the server's clock shows now, at least: it may be slow by 1 %. In microseconds.
    package func serverTime(at now: Instant) -> Int64 {
        let age = now - arrival
        return time.microseconds &+ (age - age / 100).microseconds
    }

    /// What the server's clock shows now, as far as anybody can say. In microseconds.
    package func likelyTime(at now: Instant) -> Int64 { time.microseconds &+ (now - arrival).microseconds }

    /// How much the server's clock is ahead of ours, at least; in microseconds, and from an arbitrary zero.
    var offset: Int64 { ClockOffsets.offset(serverTime: time.microseconds, arrival: arrival) }
}

/// When a lease ends by the clock of the server that granted it (rule S10).
///
/// The server may grant the lock to another when its own clock says so, however little of ours has passed: a machine
/// that was paused by its hypervisor does not count the pause. The server's clock never says so early, unless it was set
/// or runs fast: between a request and any later answer it cannot have gone further than ours.
package struct ServerDeadline: Hashable, Sendable {
    /// The lease's end on the server's clock, less the margin that every lease has.
    private var time: ServerTime
    /// Before the yes was asked for: what was read earlier does not count.
    private var sentAt: Instant

    /// - Parameters:
    ///   - granted: the time in the answer that was a yes.
    ///   - sentAt: before its request was sent.
    ///   - length: what the lease lasts, less its margin.
    package init(granted: ServerTime, sentAt: Instant, lasting length: Duration) {
        time = ServerTime(microseconds: granted.microseconds &+ length.microseconds, clock: granted.clock)
        self.sentAt = sentAt
    }

    /// The same end on the clock of this reading, which just came: as far ahead as it is by ours.
    ///
    /// - Parameter end: the lease's end by our clock.
    package init(end: Instant, onClockOf reading: ClockReading) {
        time = ServerTime(
            microseconds: reading.time.microseconds &+ (end - reading.arrival).microseconds, clock: reading.time.clock)
        sentAt = reading.arrival
    }

    /// The end by our clock, as far as this reading tells. Nil: it tells nothing.
    package func seen(in reading: ClockReading) -> Instant? {
        guard !isOnAnotherClock(than: reading), reading.arrival >= sentAt else { return nil }
        return reading.arrival + (.microseconds(time.microseconds) - .microseconds(reading.time.microseconds))
    }

    /// Another server answers now: how long the lease lasts for that one is not known.
    package func isOnAnotherClock(than reading: ClockReading) -> Bool { reading.time.clock != time.clock }
}
