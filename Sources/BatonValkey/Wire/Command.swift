// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import CHiredis
import NIOCore

/// A command in the making: its words, one after the other in one piece of memory.
struct Command: Sendable {
    private(set) var bytes: [UInt8] = []
    private(set) var lengths: [Int] = []

    init() {}

    /// A command of these words.
    init(_ words: [UInt8]...) {
        for word in words { append(word) }
    }

    /// Room for what is to come, so that it is not moved.
    mutating func reserve(words: Int, bytes count: Int) {
        lengths.reserveCapacity(words)
        bytes.reserveCapacity(count)
    }

    mutating func append(_ word: [UInt8]) {
        bytes.append(contentsOf: word)
        lengths.append(word.count)
    }

    mutating func append(_ word: StaticString) {
        word.withUTF8Buffer { bytes.append(contentsOf: $0) }
        lengths.append(word.utf8CodeUnitCount)
    }

    mutating func append(_ flag: Bool) {
        bytes.append(flag ? 49 : 48)
        lengths.append(1)
    }

    /// A number in decimal; nil: an empty word.
    mutating func append(_ number: Int64?) {
        guard let number else { return lengths.append(0) }
        let start = bytes.count
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        var rest = number.magnitude
        let first = bytes.count
        repeat {
            bytes.append(48 + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest != 0
        bytes[first...].reverse()
        lengths.append(bytes.count - start)
    }

    /// The same command with other words in front, in the place of the first `count`.
    func replacing(first count: Int, by words: [UInt8]...) -> Command {
        var command = Command()
        for word in words { command.append(word) }
        command.bytes += bytes[lengths[..<count].reduce(0, +)...]
        command.lengths += lengths[count...]
        return command
    }

    /// Hands over the command as hiredis' formatter writes it; false when it is too large, or there is no memory.
    func format(_ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        bytes.withUnsafeBytes { all -> Bool in
            // A word without bytes needs an address all the same, which is never read.
            withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: max(lengths.count, 1)) { words in
                var nothing: CChar = 0
                return withUnsafePointer(to: &nothing) { nowhere in
                    var next = all.bindMemory(to: CChar.self).baseAddress ?? nowhere
                    for (index, length) in lengths.enumerated() {
                        words.initializeElement(at: index, to: next)
                        next += length
                    }
                    var target: UnsafeMutablePointer<CChar>?
                    let length = baton_format(&target, Int32(lengths.count), words.baseAddress, lengths)
                    guard length >= 0, let target else { return false }
                    defer { redisFreeCommand(target) }
                    body(UnsafeRawBufferPointer(start: target, count: Int(length)))
                    return true
                }
            }
        }
    }
}

/// Commands that travel together, formatted.
struct Commands: Sendable {
    let bytes: ByteBuffer
    let count: Int

    init(_ commands: Command...) throws(LockError) { try self.init(commands) }

    init(_ commands: [Command]) throws(LockError) {
        var bytes = ByteBuffer()
        for command in commands {
            guard command.format({ bytes.writeBytes($0) }) else {
                throw LockError(.invalidArgument, "the request is too large to be written")
            }
        }
        self.bytes = bytes
        count = commands.count
    }
}
