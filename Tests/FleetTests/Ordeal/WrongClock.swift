// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation

@testable import BatonTestSupport

/// A wall clock that is wrong for the programs that are started with it.
///
/// Never "date -s": not even inside a machine, for there it is the clock of all of them.
struct WrongClock: Sendable {
    /// Where shim and clock are, on the host.
    let folder: String
    private let name: String

    init(name: String, folder: String) throws {
        self.name = name
        self.folder = folder
        try step(to: 0)
    }

    /// From now on it is so many seconds ahead. Written in place: programs have it mapped.
    func step(to seconds: Int64) throws {
        let path = "\(folder)/clock-\(name)"
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        defer { close(file) }
        var seconds = seconds
        guard file >= 0, write(file, &seconds, 8) == 8 else { throw TestFailure("\(path): errno \(errno)") }
    }

    /// An hour ahead, an hour behind or right: one of the two that it is not now.
    func step(choice: Int) throws {
        let now = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/clock-\(name)"))
        let others = [-3600, 0, 3600].filter { $0 != now.withUnsafeBytes { $0.load(as: Int64.self) } }
        try step(to: Int64(others[choice % others.count]))
    }

    /// What a program needs in its environment; `folder` is where it finds the files.
    func environment(in folder: String? = nil) -> [String: String] {
        let folder = folder ?? self.folder
        return ["LD_PRELOAD": folder + "/shim.so", "BATON_TEST_CLOCK": "\(folder)/clock-\(name)"]
    }

    /// Builds the shim that programs are started with.
    static func buildShim(in folder: String) async throws {
        let source = Checkout.path + "/Tests/ClockShim/shim.c"
        let (code, _, errors) = try await run(
            "/usr/bin/cc", ["-shared", "-fPIC", "-O1", "-o", folder + "/shim.so", source])
        if code != 0 { throw TestFailure("the clock's shim: \(errors)") }
    }
}
