// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import CHiredis

/// hiredis' incremental parser, and the memory it owns.
///
/// What it accepts is bounded: `shim.h` limits elements and nesting, `feed` limits bytes, because hiredis limits neither.
struct ReplyReader: ~Copyable {
    /// Why nothing more can be read: the connection is to be closed.
    struct Failure: Error {
        let reason: String
    }

    /// The most bytes that one reply may have (give or take what one read from the socket brings).
    static let maxReplyBytes = 1 << 20

    private let reader: UnsafeMutablePointer<baton_reader>?
    /// Bytes fed since the last whole reply.
    private var pending = 0

    init() { reader = baton_reader_new() }

    deinit { baton_reader_free(reader) }

    /// Takes in bytes from the socket. After a failure the reader is of no more use.
    mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        guard let reader else { throw Failure(reason: "out of memory") }
        pending += bytes.count
        if pending > Self.maxReplyBytes { throw Failure(reason: "a reply of more than \(Self.maxReplyBytes) bytes") }
        guard let start = bytes.bindMemory(to: CChar.self).baseAddress else { return }
        if baton_reader_feed(reader, start, bytes.count) == 0 { throw failure(of: reader) }
    }

    /// The next whole reply, or nil when more bytes are needed.
    mutating func next() throws(Failure) -> Reply? {
        guard let reader else { throw Failure(reason: "out of memory") }
        var object: UnsafeMutablePointer<baton_reply>?
        if baton_reader_next(reader, &object) == 0 { throw failure(of: reader) }
        guard let object else { return nil }
        defer { baton_reply_free(object) }
        pending = baton_reader_unparsed(reader)
        return Reply(object.pointee)
    }

    private func failure(of reader: UnsafeMutablePointer<baton_reader>) -> Failure {
        Failure(reason: String(cString: baton_reader_error(reader)))
    }
}

extension Reply {
    /// A copy of what hiredis parsed. Recursion ends: `shim.h` refuses deep nesting.
    fileprivate init(_ object: baton_reply) {
        switch object.kind {
        case BATON_INTEGER: self = .integer(object.integer)
        case BATON_STRING: self = .string(object.copiedBytes)
        case BATON_ERROR: self = .error(String(decoding: object.copiedBytes, as: UTF8.self))
        case BATON_ARRAY:
            let elements = UnsafeBufferPointer(start: object.elements, count: Int(object.count))
            self = .array(elements.map { $0.map { Reply($0.pointee) } ?? .null })
        default: self = .null
        }
    }
}

extension baton_reply {
    fileprivate var copiedBytes: [UInt8] { [UInt8](UnsafeRawBufferPointer(start: bytes, count: Int(length))) }
}
