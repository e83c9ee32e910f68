// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Something that is to happen at an instant of the world's true time.
///
/// Small and without references: a queue of these is moved about all the time.
struct Occurrence {
    enum Kind: UInt8 {
        /// The next fault of the script.
        case fault
        /// A fault that lasts is over.
        case relief
        /// A request comes to the server, an answer to the daemon; nobody waits for the answer any more.
        case request, answer, timeout
        /// The server told a daemon that it is worth asking again.
        case announcement
        /// A timer of a job's loop, or of its competition.
        case alarm, contestAlarm
        /// Something in the mailbox of a job's loop.
        case mail
        /// One step of a daemon that clears a run away by itself.
        case clearing
        /// The daemon's thread that launches has come so far.
        case forked
        /// The daemon looks at what an earlier one left; it has waited for a keeper long enough.
        case daemonStart, greetingTimeout
        /// Outcomes that are not delivered yet are sent again; a run is to make room for the next tick; a store that may
        /// have lost data is told again what the node remembers.
        case courier, replacement, recollection
        /// A folder is removed; a daemon is done.
        case archived, daemonEnd
        /// A keeper's process is up; its timer, its guard's timer.
        case keeperUp, keeperTimer, guardTimer
        /// An order reached the keeper, a report the daemon.
        case order, report
        /// The program of a workload begins; ends by itself; its processes die of a KILL.
        case executed, exited, killed
        /// The keeper is told of its children; the guard of the keeper's death, the keeper of the guard's.
        case reaped, keeperDeath, guardDeath
        /// The judge looks again.
        case overlapCheck, deadlineCheck
        /// A machine boots.
        case boot
        case end
    }

    /// True time in nanoseconds.
    var at: Int64
    /// Ties are broken by age.
    var order: Int64 = 0
    var kind: Kind
    var node: Int16 = -1
    var job: Int16 = -1
    /// Which shell, run, fault it is for.
    var id: Int32 = -1
    /// Where the payload lies, or a number that tells an older one from a newer.
    var slot: Int32 = -1
}

/// What is to happen, the earliest first, and of the same instant the oldest.
struct EventQueue {
    private var heap: [Occurrence] = []
    private var count: Int64 = 0

    var isEmpty: Bool { heap.isEmpty }
    var size: Int { heap.count }

    init() { heap.reserveCapacity(512) }

    mutating func push(_ occurrence: Occurrence) {
        var new = occurrence
        new.order = count
        count += 1
        var place = heap.count
        heap.append(new)
        while place > 0 {
            let parent = (place - 1) / 4
            if !Self.precedes(new, heap[parent]) { break }
            heap[place] = heap[parent]
            place = parent
        }
        heap[place] = new
    }

    mutating func pop() -> Occurrence? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if heap.isEmpty { return first }
        var place = 0
        let end = heap.count
        while true {
            let firstChild = place * 4 + 1
            if firstChild >= end { break }
            var least = firstChild
            for child in (firstChild + 1)..<max(firstChild + 1, min(firstChild + 4, end))
            where Self.precedes(heap[child], heap[least]) { least = child }
            if !Self.precedes(heap[least], last) { break }
            heap[place] = heap[least]
            place = least
        }
        heap[place] = last
        return first
    }

    private static func precedes(_ left: Occurrence, _ right: Occurrence) -> Bool {
        left.at < right.at || (left.at == right.at && left.order < right.order)
    }
}
