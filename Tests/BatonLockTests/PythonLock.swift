// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation

@testable import BatonTestSupport

/// A `valkey.lock.Lock`, or its asyncio twin, in the other process. The arguments are the package's own.
struct PythonLock: Sendable {
    let label: String
    let python: ValkeyPy

    func acquire(_ arguments: [String: Argument] = [:]) async throws -> Bool { try await call("acquire", arguments) }
    func owned() async throws -> Bool { try await call("owned") }
    func locked() async throws -> Bool { try await call("locked") }
    func reacquire() async throws -> Bool { try await call("reacquire") }
    func extend(_ seconds: Double, replaceTTL: Bool = false) async throws -> Bool {
        try await call("extend", ["additional_time": .number(seconds), "replace_ttl": .flag(replaceTTL)])
    }
    func release() async throws { try await python.ask(request("release")) }

    /// The token that the object believes to hold.
    func token() async throws -> Bytes? { try await python.ask(["token": .text(label)], for: HexBytes.self)?.bytes }
    /// The object takes a token for its own that somebody else acquired.
    func adopt(_ token: Bytes) async throws { try await python.ask(["adopt": .text(label), "token": .bytes(token)]) }

    /// The class of the exception that `body` ends with; nil when it ends with none.
    func raised(by body: (PythonLock) async throws -> Void) async throws -> String? {
        do {
            try await body(self)
            return nil
        } catch let raised as ValkeyPy.Raised {
            return raised.error
        }
    }

    private func call(_ method: String, _ arguments: [String: Argument] = [:]) async throws -> Bool {
        guard let answer = try await python.ask(request(method, arguments)) else {
            throw TestFailure("\(method) returned None")
        }
        return answer
    }

    private func request(_ method: String, _ arguments: [String: Argument] = [:]) -> [String: Argument] {
        ["call": .text(method), "on": .text(label), "with": .members(arguments)]
    }
}

/// One argument, as JSON has it; bytes in hexadecimal.
indirect enum Argument: Encodable, Sendable {
    case text(String)
    case number(Double)
    case flag(Bool)
    case bytes(Bytes)
    case members([String: Argument])

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .number(let number): try container.encode(number)
        case .flag(let flag): try container.encode(flag)
        case .bytes(let bytes): try container.encode(HexBytes(bytes: bytes))
        case .members(let members): try container.encode(members)
        }
    }
}

extension Argument: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    init(floatLiteral value: Double) { self = .number(value) }
    init(integerLiteral value: Int) { self = .number(Double(value)) }
    init(booleanLiteral value: Bool) { self = .flag(value) }
}

private struct HexBytes: Codable {
    private let hex: String

    init(bytes: Bytes) { hex = bytes.map { String(format: "%02x", $0) }.joined() }

    var bytes: Bytes {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    }
}
