// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The places where Baton reads what somebody else wrote, each with what must be true of any bytes there.
///
/// libFuzzer feeds them (`Driver.swift`), and a test feeds them what it has found (`FuzzCorpusTests`).
enum FuzzTarget: String, CaseIterable, Sendable {
    /// Any TOML text.
    case toml
    /// A job's file.
    case job
    /// `batond.toml`.
    case node
    /// A file of environment variables.
    case environment
    /// Durations, sizes, signals, names and patterns of names.
    case values
    /// Cron expressions.
    case schedules
    /// Files of tzdata.
    case zones
    /// URLs of stores.
    case urls
    /// What a server answers.
    case replies
    /// The packets between a daemon and a keeper, and the file `status`.
    case keeper
    /// The file `spec`.
    case spec
    /// What is kept of a lease, a holder, a node, a fence.
    case records
    /// What batond answers to batonctl.
    case answers
    /// What anybody says on the control socket.
    case control
    /// What a workload prints.
    case output

    /// Takes the bytes as that target does.
    ///
    /// - Throws: `Violation` when something is not as it must be; what ends the process is worse.
    func run(_ input: Bytes) throws {
        switch self {
        case .toml: try fuzzTOML(input)
        case .job: try fuzzJob(input)
        case .node: try fuzzNode(input)
        case .environment: try fuzzEnvironment(input)
        case .values: try fuzzValues(input)
        case .schedules: try fuzzSchedules(input)
        case .zones: try fuzzZones(input)
        case .urls: try fuzzURLs(input)
        case .replies: try fuzzReplies(input)
        case .keeper: try fuzzKeeper(input)
        case .spec: try fuzzSpec(input)
        case .records: try fuzzRecords(input)
        case .answers: try fuzzAnswers(input)
        case .control: try fuzzControl(input)
        case .output: try fuzzOutput(input)
        }
    }
}

/// Something is not as it must be.
struct Violation: Error, CustomStringConvertible {
    let description: String
}

/// - Throws: `Violation` unless the condition holds.
func require(_ condition: @autoclosure () throws -> Bool, _ what: @autoclosure () -> String) throws {
    if try !condition() { throw Violation(description: what()) }
}

/// - Throws: `Violation` unless what was read is the same after it was written and read again.
func requireRoundTrip<Value: Equatable>(
    _ value: Value?, _ write: (Value) throws -> Bytes, _ read: (Bytes) throws -> Value?
) throws {
    guard let value else { return }
    let bytes = try write(value)
    let again = try? read(bytes)
    try require(again == value, "\(value) is written as \(bytes), which is read as \(String(describing: again))")
}
