// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation

/// What is said on the control socket, by either side.
extension FuzzTarget {
    func fuzzAnswers(_ input: Bytes) throws {
        try requireSameJSON(StatusReport.self, input)
        try requireSameJSON(ReloadReport.self, input)
        try requireSameJSON(ReloadRefusal.self, input)
        try requireSameJSON(NodesReport.self, input)
        try requireSameJSON(Explanation.self, input)
        try requireSameJSON(LogFrame.self, input)
    }

    private func requireSameJSON<Value: Codable & Equatable>(_ type: Value.Type, _ input: Bytes) throws {
        try requireRoundTrip(
            try? JSONDecoder().decode(type, from: Data(input)), { Bytes(try JSONEncoder().encode($0)) },
            { try JSONDecoder().decode(type, from: Data($0)) })
    }

    func fuzzControl(_ input: Bytes) throws {
        guard let server = ControlTarget.shared else { throw Violation(description: "no server") }
        try require(server.exchange(input) != nil, "the connection is neither answered nor closed")
        // Whatever came, whoever asks properly next is answered.
        let answer =
            server.exchange(Bytes("GET /v1/status HTTP/1.1\r\nhost: f\r\nconnection: close\r\n\r\n".utf8)) ?? []
        try require(answer.starts(with: "HTTP/1.1 200 ".utf8), String(decoding: answer, as: UTF8.self))
    }
}
