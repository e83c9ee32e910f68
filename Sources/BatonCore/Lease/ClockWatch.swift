// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Sees in a server's answers when its clock goes ahead of ours (rule S10), so that holders of leases need to be told of
/// those answers only.
///
/// An answer bounds how much the server's clock is ahead from both sides: by its arrival from below, by its request's
/// send from above. A clock that goes no faster than ours never shows more than it once showed at most. So no answer is
/// taken for a jump because it was slow, and none because an earlier one was.
package struct ClockWatch: Equatable, Sendable {
    /// What there is to tell.
    package enum Notice: Equatable, Sendable {
        /// The server's clock went ahead of ours, by so much since the last notice: this machine was paused, or that
        /// clock was set forward, or it runs fast.
        case ahead(ClockReading, by: Duration)
        /// Another server answers than before.
        case another(ClockReading)

        /// What is to be compared with each lease.
        package var reading: ClockReading {
            switch self {
            case .ahead(let reading, _), .another(let reading): reading
            }
        }
    }

    /// Less is not told, and lost in every lease's margin.
    package static let tolerance = Duration.milliseconds(5)

    /// The clock that was read last, and how much it is ahead at most, in microseconds.
    private var known: (clock: Int, most: Int64)?

    package init() {}

    package static func == (left: ClockWatch, right: ClockWatch) -> Bool {
        left.known?.clock == right.known?.clock && left.known?.most == right.known?.most
    }

    /// An answer came to a request that was about to be sent at `sentAt`.
    package mutating func heard(_ reading: ClockReading, sentAt: Instant) -> Notice? {
        let most = ClockOffsets.offset(serverTime: reading.time.microseconds, arrival: sentAt)
        guard let known, known.clock == reading.time.clock else {
            let isFirst = known == nil
            known = (reading.time.clock, most)
            return isFirst ? nil : .another(reading)
        }
        let ahead = Duration.microseconds(reading.offset) - .microseconds(known.most)
        if ahead > Self.tolerance {
            // From here on whatever exceeds this is new again: it was the least that is true.
            self.known?.most = reading.offset
            return .ahead(reading, by: ahead)
        }
        self.known?.most = min(known.most, most)
        return nil
    }
}
