// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore

/// Why a command did not do what was asked, with its exit code.
struct Failure: Error, Equatable {
    /// Exit codes, as in sysexits.h.
    enum Code: Int32 {
        case failed = 1
        case unreachable = 69
        case notPermitted = 77
        case configuration = 78
    }

    var code: Code
    /// For people; control characters are escaped when it is printed.
    var message: String

    /// Says why on stderr and ends with the code.
    func report() -> ExitCode {
        Output.error("batonctl: " + PrintableText.escaped(message))
        return ExitCode(code.rawValue)
    }
}

/// Runs a command's body and turns its failure into words and an exit code.
func reportingFailure<T>(_ body: () async throws(Failure) -> T) async throws(ExitCode) -> T {
    do {
        return try await body()
    } catch {
        throw error.report()
    }
}
