// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import Testing

/// What `journalctl -x` tells is about the events that there are.
@Suite struct CatalogueTests {
    /// The texts of `systemd/baton.catalog`, by the id that is above each.
    private func texts() throws -> [String: String] {
        let file = (0..<3).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
            .appendingPathComponent("systemd/baton.catalog")
        var texts: [String: String] = [:]
        for part in try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n-- ").dropFirst() {
            let id = String(part.prefix { $0 != "\n" })
            #expect(texts[id] == nil, "\(id) is there twice")
            texts[id] = String(part.dropFirst(id.count + 1))
        }
        return texts
    }

    @Test func everyKindOfEventHasATextAndNothingElse() throws {
        #expect(Set(try texts().keys) == Set(EventKind.allCases.map(\.id)))
    }

    @Test func idsAreDifferentAndWellFormed() {
        #expect(Set(EventKind.allCases.map(\.id)).count == EventKind.allCases.count)
        for kind in EventKind.allCases {
            #expect(kind.id.wholeMatch(of: /[0-9a-f]{32}/) != nil)
            #expect(kind.rawValue.wholeMatch(of: /[a-z]+(-[a-z]+)*/) != nil)
        }
    }

    @Test func everyTextSaysWhatHappenedAndFitsATerminal() throws {
        let fields: Set<String> = [
            "BATON_NODE", "BATON_JOB", "BATON_RUN_ID", "BATON_FENCE", "BATON_LOOP", "BATON_OUTCOME", "BATON_DETAIL",
            "BATON_DROPPED_LINES", "BATON_UID", "BATON_ACT", "BATON_TICK", "BATON_LAST_TICK", "BATON_COUNT",
        ]
        for (id, text) in try texts() {
            let parts = text.split(separator: "\n\n", maxSplits: 1)
            #expect(parts.count == 2 && parts[0].hasPrefix("Subject: "), "\(id)")
            #expect(parts[0].contains("\nDefined-By: Baton\nDocumentation: man:"), "\(id)")
            #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(id)")
            for field in text.matches(of: /@([A-Z_]+)@/) { #expect(fields.contains(String(field.1)), "\(field.1)") }
        }
    }
}
