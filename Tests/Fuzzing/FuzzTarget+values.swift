// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

@testable import BatonConfig
@testable import BatonValkey

/// Single values.
extension FuzzTarget {
    func fuzzValues(_ input: Bytes) throws {
        guard let text = String(validating: input, as: UTF8.self) else { return }
        if let duration = try? DurationText.parse(text) {
            try require(duration >= .zero && duration <= .seconds(36525 * 86400), "\(text) lasts \(duration)")
            let shown = DurationText.describe(duration)
            let again = try? DurationText.parse(shown)
            try require(again?.milliseconds == duration.milliseconds, "\(text) is shown as \(shown)")
        }
        if let size = SizeText.parse(text) { try require(size <= 1 << 53, "\(text) is \(size) bytes") }
        if let signal = SignalName.number(text) {
            try require((1...64).contains(signal), "\(text) is signal \(signal)")
        }
        _ = Spelling.nearest(to: text, among: ["timeout", "lost_grace", "command"])
        for reason in [
            Names.problem(ofJob: text), Names.problem(ofNode: text), Names.problem(ofPrefix: text),
            Names.problem(ofTag: text, text),
        ] {
            try require(reason?.isEmpty != true, "a problem without words")
        }
        // A pattern, and a name that it may match.
        let lines = input.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        if lines.count == 2, lines[0].count <= 12, lines[1].count <= 24 {
            let found = NamePattern(String(decoding: lines[0], as: UTF8.self))
                .matches(String(decoding: lines[1], as: UTF8.self))
            try require(!text.unicodeScalars.allSatisfy(\.isASCII) || found == Self.matches(lines[0], lines[1]), text)
        }
    }

    /// What a pattern means, as its definition says it.
    private static func matches(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        if first == UInt8(ascii: "*") {
            // Several are as good as one, and would be tried in every way.
            let rest = pattern.drop { $0 == first }
            return matches(rest, name) || (!name.isEmpty && matches(pattern, name.dropFirst()))
        }
        guard let next = name.first, first == next || first == UInt8(ascii: "?") else { return false }
        return matches(pattern.dropFirst(), name.dropFirst())
    }

    func fuzzURLs(_ input: Bytes) throws {
        guard let text = String(validating: input, as: UTF8.self) else { return }
        let library = try? ValkeyURL(text).configuration
        if let library { try require(!library.description.isEmpty, text) }
        guard let url = try? StoreURL(text) else { return }
        var settings = StoreSettings(location: url.location)
        settings.database = url.database
        // What people are shown is a URL of the same place.
        if case .tcp = url.location {
            let again = try? StoreURL(settings.url)
            try require(
                again?.location == url.location && again?.database == url.database,
                "\(text) is shown as \(settings.url)")
        }
        // Two readers of one text must not go to two places, nor as two users. (The library decodes hosts and paths.)
        guard let daemon = ValkeyStore.Configuration(settings), let library, !text.contains("%") else { return }
        try require(daemon.address == library.address, "\(text): \(daemon.address), or \(library.address)")
        try require(daemon.database == library.database, "\(text): database \(daemon.database), or \(library.database)")
        try require(url.username == library.username, "\(text): two users")
        try require(url.password?.value == library.password, "\(text): two passwords")
        try require(daemon.tls == library.tls, "\(text): with TLS, or without")
    }
}
