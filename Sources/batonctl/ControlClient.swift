// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// One request to the daemon behind a control socket.
struct ControlClient {
    let socketPath: String

    /// The daemon answers from memory; one that needs longer than this hangs. A stop waits for the store as well.
    private static let patience = TimeAmount.seconds(15)
    /// The tail of a log is at most 64 KiB, a status a few hundred bytes for each job.
    private static let longestAnswer = 64 << 20

    private struct Refusal: Decodable {
        var error: String
    }

    /// The body of the answer.
    func get(_ path: [String], query: String? = nil) async throws(Failure) -> [UInt8] {
        try await request(.GET, path, query)
    }

    /// The body of the answer, after the act was carried out.
    func post(_ path: [String], query: String? = nil) async throws(Failure) -> [UInt8] {
        try await request(.POST, path, query)
    }

    /// The body of the answer, and what there is to say of it.
    func getNoted(_ path: [String]) async throws(Failure) -> (body: [UInt8], note: String?) {
        let answer = try await send(.GET, path, nil)
        guard answer.status != 200 else { return (answer.body, answer.note) }
        throw Self.failure(status: answer.status, body: answer.body)
    }

    private func request(
        _ method: HTTPMethod, _ path: [String], _ query: String?
    ) async throws(Failure) -> [UInt8] {
        let answer = try await send(method, path, query)
        guard answer.status != 200 else { return answer.body }
        throw Self.failure(status: answer.status, body: answer.body)
    }

    /// The answer, whatever it is.
    func exchange(_ method: HTTPMethod, _ path: [String]) async throws(Failure) -> (status: UInt, body: [UInt8]) {
        let answer = try await send(method, path, nil)
        return (answer.status, answer.body)
    }

    private func send(
        _ method: HTTPMethod, _ path: [String], _ query: String?
    ) async throws(Failure) -> (status: UInt, body: [UInt8], note: String?) {
        try SocketProbe.check(socketPath)
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let answer: (status: UInt, body: [UInt8], note: String?)
        do {
            var request = HTTPClientRequest(url: url(path) + (query.map { "?" + $0 } ?? ""))
            request.method = method
            let response = try await client.execute(request, timeout: Self.patience)
            answer = (
                response.status.code, Array(buffer: try await response.body.collect(upTo: Self.longestAnswer)),
                response.headers.first(name: "Baton-Note")
            )
            try await client.shutdown()
        } catch {
            try? await client.shutdown()  // The failure to report is the request's.
            throw failure(error)
        }
        return answer
    }

    func url(_ path: [String]) -> String {
        let parts = path.map(Self.percentEncoded).joined(separator: "/")
        return "http+unix://\(Self.percentEncoded(socketPath))/v1/\(parts)"
    }

    /// Everything but letters, digits and `-._~` as `%XX`.
    static func percentEncoded(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"),
                UInt8(ascii: "."):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                result += String(format: "%%%02X", Int(byte))
            }
        }
    }

    func failure(_ error: any Error) -> Failure {
        let isTimeout = [.deadlineExceeded, .readTimeout, .connectTimeout].contains(error as? HTTPClientError)
        let reason =
            isTimeout
            ? "no answer within \(Self.patience.nanoseconds / 1_000_000_000) seconds" : String(describing: error)
        return Failure(code: .unreachable, message: "batond does not answer on \(socketPath): \(reason)")
    }

    /// What an answer that is not a yes means for the exit code.
    static func failure(status: UInt, body: [UInt8]) -> Failure {
        let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(body))  // Else the status has to do.
        let message = refusal?.error ?? "batond answered with HTTP status \(status)"
        switch status {
        case 403: return Failure(code: .notPermitted, message: "not permitted: \(message)")
        case 503: return Failure(code: .unreachable, message: "the store can't be reached: \(message)")
        default: return Failure(code: .failed, message: message)
        }
    }
}
