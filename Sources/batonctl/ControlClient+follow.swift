// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

extension ControlClient {
    /// No line of the answer is longer: a keeper's 64 KiB, in base64.
    private static let longestLine = 1 << 20

    /// Hands on the lines of an answer that comes bit by bit, without end. Each is dealt with before more is read.
    ///
    /// - Throws: when the daemon refuses, or ends it without having been asked to.
    func follow(
        _ path: [String], query: String, line: (Data) throws(Failure) -> Void
    ) async throws(Failure) {
        try SocketProbe.check(socketPath)
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let request = HTTPClientRequest(url: url(path) + "?" + query)
            let response = try await client.execute(request, deadline: .distantFuture)
            if response.status != .ok {
                let body = Array(buffer: try await response.body.collect(upTo: Self.longestLine))
                throw Self.failure(status: response.status.code, body: body)
            }
            var rest = Data()
            for try await part in response.body {
                rest.append(contentsOf: part.readableBytesView)
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    try line(rest[rest.startIndex..<end])
                    rest = Data(rest[(end + 1)...])
                }
                if rest.count > Self.longestLine { throw Failure(code: .failed, message: "this is no batond") }
            }
            try await client.shutdown()
        } catch {
            try? await client.shutdown()  // The failure to report is the request's.
            throw error as? Failure
                ?? Failure(code: .unreachable, message: "batond has ended the connection: it was stopped or restarted")
        }
    }
}
