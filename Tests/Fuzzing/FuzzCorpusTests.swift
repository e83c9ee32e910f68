// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

@testable import BatonSystem

/// What the fuzzers have found worth keeping, and what once broke something, is fed to every target again.
@Suite struct FuzzCorpusTests {
    private static let folder = #filePath.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/corpus"

    @Test(arguments: FuzzTarget.allCases)
    func whatWasFoundHarmsNothing(target: FuzzTarget) throws {
        let folder = "\(Self.folder)/\(target.rawValue)"
        let names = Files.entries(in: folder)
        #expect(!names.isEmpty, "nothing is kept for \(target)")
        for name in names.sorted() {
            let input = try #require(try Files.read("\(folder)/\(name)", limit: 1 << 20))
            do {
                try target.run(input)
                // Cut short, as a crash leaves a file and a lost packet an answer.
                if target != .control {
                    for length in stride(from: 0, to: input.count, by: max(1, input.count / 16)) {
                        try target.run(Bytes(input[..<length]))
                    }
                }
            } catch {
                Issue.record("\(target.rawValue)/\(name): \(error)")
            }
        }
    }
}
