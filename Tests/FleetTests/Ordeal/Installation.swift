// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation

@testable import BatonTestSupport

/// Runs `body` with the folder into which "make install" has put down these programs: one to lie over a machine's root.
///
/// It is gone when this returns, whatever happens.
func withInstallation(of programs: String, _ body: (String) async throws -> Void) async throws {
    // On a file system of its own: the layers of an overlay may not lie in each other.
    let folder = "/tmp/baton-installation-" + UUID().uuidString.prefix(8).lowercased()
    Janitor.shared.sweepIfKilled(mounted: folder)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    do {
        try await must("/bin/mount", ["-t", "tmpfs", "-o", "mode=755", "tmpfs", folder])
        // A "make test" above says nothing to this one.
        let environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("MAKE") }
        let arguments = ["DESTDIR=\(folder)", "PREFIX=/usr", "PROGRAM_FOLDER=\(programs)"]
        try await must(
            "/usr/bin/make", ["--directory", Checkout.path, "--silent", "install"] + arguments, environment)
        try await body(folder)
    } catch {
        await remove(folder)
        throw error
    }
    await remove(folder)
}

private func must(_ program: String, _ arguments: [String], _ environment: [String: String]? = nil) async throws {
    let (code, _, errors) = try await run(program, arguments, environment: environment)
    if code != 0 { throw TestFailure("\(program) \(arguments): \(errors)") }
}

private func remove(_ folder: String) async {
    _ = try? await run("/bin/umount", ["--lazy", folder])
    try? FileManager.default.removeItem(atPath: folder)
}
