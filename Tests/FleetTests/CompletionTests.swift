// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import Testing

@testable import BatonTestSupport

/// What shells offer when somebody presses the tab key.
@Suite(.timeLimit(.minutes(5))) struct CompletionTests {
    @Test(arguments: ["bash", "zsh", "fish"], ["batond", "batonctl"])
    func theScriptIsValid(_ shell: String, _ program: String) async throws {
        try await withScript(program, shell) { script in
            let (code, _, errors) = try await run("/usr/bin/env", [shell, "-n", script])
            #expect(code == 0 && errors.isEmpty, "\(errors)")
        }
    }

    @Test func jobsAndCommandsAreOffered() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("report", fleet.workload())
            try node.job("reminder", fleet.workload())
            try node.start()
            try await node.waitForStatus("it is up") { $0.jobs.count == 2 }

            #expect(try await bash("batonctl", "st", node) == ["status", "stop"])
            #expect(try await bash("batonctl status", "re", node) == ["reminder", "report"])
            for verb in ["history", "next", "pause", "resume", "run"] {
                #expect(try await bash("batonctl \(verb)", "rep", node) == ["report"])
            }
            #expect(try await bash("batond --log-level", "no", node) == ["notice"])
            // With nobody to ask there is nothing, and no complaint.
            try await node.stop()
            #expect(try await bash("batonctl logs", "re", node) == [])
        }
    }

    private func withScript<Result>(
        _ program: String, _ shell: String, _ body: (String) async throws -> Result
    ) async throws -> Result {
        let (code, text, _) = try await run(Binary.folder + "/" + program, ["--generate-completion-script", shell])
        #expect(code == 0)
        let script = "/tmp/baton-completion-" + UUID().uuidString.prefix(8).lowercased()
        try text.write(toFile: script, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: script) }
        return try await body(script)
    }

    /// As bash asks: words, and the beginning of the next. (The scripts for the others ask their line editor, and there is
    /// none here.)
    private func bash(_ words: String, _ begun: String, _ node: Node) async throws -> [String] {
        let program = String(words.split(separator: " ")[0])
        let last = String(words.split(separator: " ").last ?? "")
        return try await withScript(program, "bash") { script in
            let line = "\(words) \(begun)"
            let asking = """
                source \(script)
                COMP_WORDS=(\(line)) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE='\(line)' COMP_POINT=\(line.count)
                _\(program) \(program) '\(begun)' '\(last)' && printf '%s\\n' "${COMPREPLY[@]}"
                """
            return try await offers(asking, node)
        }
    }

    private func offers(_ asking: String, _ node: Node) async throws -> [String] {
        var environment = ProcessInfo.processInfo.environment
        environment["PATH"] = Binary.folder + ":" + (environment["PATH"] ?? "")
        environment["BATON_SOCKET"] = node.socket
        let (_, output, errors) = try await run("/bin/bash", ["--norc", "-c", asking], environment: environment)
        #expect(errors.isEmpty, "\(errors)")
        return output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.sorted()
    }
}
