// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import CLinux
import Glibc

/// Memory that keeper and guard share: the deadline, for a guard whose keeper is stopped, and the last output, for one
/// whose keeper died.
struct SharedBoard {
    /// So much output is kept.
    static let capacity = 64 << 10
    private static let headerSize = 64

    /// The deadline in nanoseconds, as the workload's own start reads it; 0: there is none.
    let deadlineWord: UnsafeMutablePointer<UInt64>
    private let writtenWord: UnsafeMutablePointer<UInt64>
    private let ring: UnsafeMutableRawPointer
    /// Rings when the deadline is set for the first time.
    let bell: Int32

    init?() {
        guard let memory = clinux_shared_memory(Self.headerSize + Self.capacity) else { return nil }
        bell = clinux_eventfd()
        if bell < 0 { return nil }
        deadlineWord = memory.bindMemory(to: UInt64.self, capacity: 1)
        writtenWord = (memory + 8).bindMemory(to: UInt64.self, capacity: 1)
        ring = memory + Self.headerSize
    }

    /// Until when the workload may run; nil: nothing runs.
    var deadline: Instant? {
        get {
            let word = clinux_load(deadlineWord)
            return word == 0 ? nil : Instant(nanoseconds: Int64(bitPattern: word))
        }
        nonmutating set {
            let before = clinux_load(deadlineWord)
            let word = newValue.map { UInt64(bitPattern: $0.nanoseconds) } ?? 0
            if word == before { return }
            clinux_store(deadlineWord, word)
            if before == 0 {
                var one: UInt64 = 1
                write(bell, &one, 8)
            }
        }
    }

    /// Keeps the last bytes of all that were ever appended.
    func append(_ bytes: UnsafeRawBufferPointer) {
        let bytes = UnsafeRawBufferPointer(rebasing: bytes.suffix(Self.capacity))
        guard let source = bytes.baseAddress else { return }
        let written = clinux_load(writtenWord)
        let start = Int(written % UInt64(Self.capacity))
        let first = min(bytes.count, Self.capacity - start)
        memcpy(ring + start, source, first)
        memcpy(ring, source + first, bytes.count - first)
        clinux_store(writtenWord, written + UInt64(bytes.count))
    }

    /// What is kept of the output that came after so many bytes of it, and which byte it begins with.
    func output(after: UInt64) -> (from: UInt64, bytes: Bytes) {
        let written = clinux_load(writtenWord)
        let kept = tail
        let from = min(max(after, written - UInt64(kept.count)), written)
        return (from, Bytes(kept.suffix(Int(written - from))))
    }

    /// What is kept, oldest first.
    var tail: Bytes {
        let written = clinux_load(writtenWord)
        if written <= UInt64(Self.capacity) {
            return Bytes(UnsafeRawBufferPointer(start: ring, count: Int(written)))
        }
        let start = Int(written % UInt64(Self.capacity))
        return Bytes(UnsafeRawBufferPointer(start: ring + start, count: Self.capacity - start))
            + Bytes(UnsafeRawBufferPointer(start: ring, count: start))
    }
}
