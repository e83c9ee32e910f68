// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What can happen on the way to one request, or to its reply.
enum WireFault: Sendable {
    /// How a connection ends.
    enum Cut: String, Sendable, CaseIterable {
        case fin = "FIN"
        case rst = "RST"
    }
    /// Where a message is cut: nothing of it has passed, half of it, or all of it.
    enum Place: String, Sendable, CaseIterable { case before, amid, after }

    /// The request passes after so long.
    case requestLate(Duration)
    /// The request passes when the test says so, also after the client has left.
    case requestHeld
    /// Neither the request passes nor anything after it on this connection.
    case requestLost
    /// The connection ends at the request. What has passed of it is carried out.
    case requestCut(Place, Cut)
    /// The reply passes after so long.
    case replyLate(Duration)
    /// The reply passes when the test says so.
    case replyHeld
    /// Neither the reply passes nor anything after it on this connection.
    case replyLost
    /// The connection ends at the reply.
    case replyCut(Place, Cut)
    /// Half of the reply, and then nothing.
    case replyHalved
    /// The server has done what it was asked, but this is what the client gets for an answer.
    case replyReplaced([UInt8])
    /// Instead of the reply: this, and then that, again and again.
    case replyEndless([UInt8], [UInt8])
    /// Answered in the server's place: the request does not reach it.
    case answered([UInt8])

    /// Answered with an error, of which this is the text.
    static func refused(_ error: String) -> WireFault { .answered(Array("-\(error)\r\n".utf8)) }
    /// Replaced by what is no reply of ours.
    static func garbled(_ text: String) -> WireFault { .replyReplaced(Array(text.utf8)) }
}

/// Which message a fault strikes: a request of this name, that has these bytes in it.
///
/// `message` is the name of an announcement, which nobody asked for; faults of the reply strike it.
struct WireStep: Sendable {
    let command: String
    var containing: [UInt8] = []

    func matches(_ name: String, _ message: [UInt8]) -> Bool {
        name == command && (containing.isEmpty || message.firstRange(of: containing) != nil)
    }
}

/// A fault that has struck, and what became of the request.
struct WireStrike: Sendable {
    let step: WireStep
    let fault: WireFault
    /// The whole request has reached the server.
    var hasPassed = false
    /// What the server answered to it, whatever the client got.
    var answer: [UInt8]?
}

/// Cuts a stream into RESP messages.
struct WireSplitter {
    private var bytes: [UInt8] = []

    mutating func feed(_ new: some Sequence<UInt8>) { bytes += new }

    /// The next whole message.
    mutating func next() -> [UInt8]? {
        guard let end = Self.end(of: bytes, from: 0) else { return nil }
        defer { bytes.removeFirst(end) }
        return Array(bytes[..<end])
    }

    private static func line(of bytes: [UInt8], from start: Int) -> (number: Int, next: Int)? {
        guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        return (Int(String(decoding: bytes[start + 1..<end - 1], as: UTF8.self)) ?? 0, end + 1)
    }

    private static func end(of bytes: [UInt8], from start: Int) -> Int? {
        guard start < bytes.count, let (number, next) = line(of: bytes, from: start) else { return nil }
        switch bytes[start] {
        case UInt8(ascii: "$"):
            let end = number < 0 ? next : next + number + 2
            return end <= bytes.count ? end : nil
        case UInt8(ascii: "*"):
            var end = next
            for _ in 0..<max(number, 0) {
                guard let after = Self.end(of: bytes, from: end) else { return nil }
                end = after
            }
            return end
        default: return next
        }
    }

    /// The strings in an array of bulk strings; what else it holds is empty.
    static func words(of message: [UInt8]) -> [[UInt8]] {
        guard message.first == UInt8(ascii: "*"), let (count, first) = line(of: message, from: 0) else { return [] }
        var words: [[UInt8]] = []
        var start = first
        for _ in 0..<max(count, 0) {
            guard let end = end(of: message, from: start), let (_, next) = line(of: message, from: start) else { break }
            words.append(message[start] == UInt8(ascii: "$") && next < end ? Array(message[next..<end - 2]) : [])
            start = end
        }
        return words
    }
}
