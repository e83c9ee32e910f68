// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// The answers on the control socket: JSON, or a job's output as it is.
enum ControlAnswer {
    private struct Failure: Encodable {
        var error: String
    }

    /// `{"error": "…"}`.
    static func error(_ status: HTTPResponse.Status, _ message: String) -> Response {
        // A struct of one string can always be encoded; if not, the status still says it.
        let body = (try? encode(Failure(error: message))) ?? ByteBuffer()
        return Response(
            status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: body))
    }

    /// A value as JSON, its keys sorted so that two answers can be compared.
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: try encode(value)))
    }

    /// Output of a workload, byte for byte; what there is to say of it is in a header.
    static func output(_ output: RecentOutput) -> Response {
        var headers: HTTPFields = [.contentType: "application/octet-stream"]
        if let note = output.note, let name = HTTPField.Name(RecentOutput.noteHeader) {
            headers[name] = PrintableText.escaped(note)
        }
        return Response(
            status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: output.bytes)))
    }

    /// Frames as lines of JSON, each sent when it is there.
    static func frames(of output: any FollowedOutput) -> Response {
        lines { writer in
            defer { output.close() }
            var output = output
            while let frame = try await output.next() { try await writer.write(frame) }
        }
    }

    /// Values as lines of JSON.
    static func lines(of body: @escaping @Sendable @concurrent (inout LineWriter) async throws -> Void) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody { writer in
                var lines = LineWriter(writer: writer)
                try await body(&lines)
                try await writer.finish(nil)
            })
    }

    /// Writes one after the other, and waits until the reader has room for it.
    struct LineWriter {
        fileprivate var writer: any ResponseBodyWriter

        @concurrent mutating func write(_ value: some Encodable & Sendable) async throws {
            try await writer.write(try ControlAnswer.encode(value))
        }
    }

    private static func encode(_ value: some Encodable) throws -> ByteBuffer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return ByteBuffer(bytes: try encoder.encode(value) + Data("\n".utf8))
    }
}
