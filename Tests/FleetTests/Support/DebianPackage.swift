// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation

@testable import BatonTestSupport

/// The Debian package, made of the programs under test, in two versions: something to upgrade.
struct DebianPackage {
    static let versions = ["0.1.0~test1", "0.1.0~test2"]
    /// Where a machine finds them.
    static let folderInside = "/var/lib/packages"

    let folder = Binary.folder + "/test-packages"

    /// They are made once, for all tests: hence a task that outlives each of them.
    private static let made = Task { try await DebianPackage() }

    static func make() async throws -> DebianPackage { try await made.value }

    private init() async throws {
        try? FileManager.default.removeItem(atPath: folder)  // There may be none.
        for version in Self.versions {
            let (code, _, errors) = try await run(
                "/bin/bash",
                [
                    Checkout.path + "/.ci/deb", "--trial", "--programs", Binary.folder, "--version", version,
                    "--output", folder,
                ])
            if code != 0 { throw TestFailure(".ci/deb: \(errors)") }
        }
    }

    /// The version's file.
    func path(_ version: String) throws -> String {
        let name = try FileManager.default.contentsOfDirectory(atPath: folder).first { $0.contains("_\(version)_") }
        guard let name else { throw TestFailure("there is no package of \(version) in \(folder)") }
        return "\(folder)/\(name)"
    }
}

extension Machine {
    /// Runs dpkg, which has nobody to ask. (What other packages do about manuals and the like can wait.)
    @discardableResult
    func dpkg(_ arguments: String...) async throws -> (code: Int32, output: String, errors: String) {
        let script = "exec dpkg --no-triggers --force-unsafe-io \(arguments.joined(separator: " ")) </dev/null"
        return try await enter("env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", script)
    }

    /// Which daemon answers: a random name for each that was started.
    func instance() async throws -> String {
        let (_, output, errors) = try await enter("batonctl", "status", "--json")
        if output.isEmpty { throw TestFailure("batonctl: \(errors)") }
        return try JSONDecoder().decode(StatusReport.self, from: Data(output.utf8)).instance
    }

    /// Installs or upgrades to this version.
    @discardableResult
    func install(_ version: String) async throws -> String {
        let (code, output, errors) = try await dpkg("-i", "\(DebianPackage.folderInside)/baton_\(version)_*.deb")
        if code != 0 { throw TestFailure("dpkg: \(output)\(errors)") }
        return output + errors
    }
}
