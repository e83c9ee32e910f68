// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

@testable import BatonConfig
import Foundation
import Testing

@Suite struct RandomBytesTests {
    /// A generator whose sequence is the same in every run.
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    /// More for a longer search: BATON_FUZZ_ROUNDS.
    private static let rounds = ProcessInfo.processInfo.environment["BATON_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 2000

    private static let pieces = [
        "[", "]", "[[", "]]", "{", "}", "=", ".", ",", "\"", "'", "\"\"\"", "'''", "\\", "\\u0000", "\\u12", "#", "\n",
        "\r\n",
        "\r", " ", "\t", "a", "b", "1", "-", "+", "_", "0x", "1e9", "inf", "true", "2026-01-01", "2026-01-01T", "T",
        "10:00:00",
        "Z", "a=", "x={", "y=[", "'5s'", "é", "\u{1}", "\u{85}", "\u{2028}", "\u{A0}", "\u{FEFF}", "\u{200B}",
        "\u{180E}",
        "\u{3000}", "command=", "shell='x'\n", "[lock]\n", "timeout=", "[defaults]\n", "environment={", "store.url=",
        "nice=",
        "stop.signal=", "output.to=", "[[x]]\n", "999999999999999999999", "\u{1F600}", "\u{B}",
    ].map { Array($0.utf8) }

    @Test(arguments: 0..<8)
    func noBytesCrashTheLoader(seed: Int) throws {
        let bench = try ConfigBench()
        var random = Seeded(state: UInt64(seed))
        for round in 0..<Self.rounds {
            let bytes = bytes(round, &random)
            _ = try? TOMLText.parse(bytes, path: "f")
            _ = try? EnvironmentFile.parse(bytes, path: "f")
            if !round.isMultiple(of: 20) { continue }
            bench.write("jobs.d/report.toml", bytes)
            let loader = ConfigLoader()
            bench.write(bench.node, bytes)
            let node = loader.loadNode(path: bench.node)
            #expect(node.errors.allSatisfy { !$0.message.isEmpty })
            let job = loader.loadJob("report", bench.jobs + "/report.toml", node).job
            if case .invalid(_, let problems) = job { #expect(!problems.isEmpty) }
        }
    }

    private func bytes(_ round: Int, _ random: inout Seeded) -> [UInt8] {
        var bytes: [UInt8] = []
        let count = Int.random(in: 0..<(round.isMultiple(of: 2) ? 12 : 40), using: &random)
        for _ in 0..<count {
            if round.isMultiple(of: 5) {
                bytes.append(UInt8.random(in: .min ... .max, using: &random))
            } else {
                bytes += Self.pieces.randomElement(using: &random) ?? []
            }
        }
        return bytes
    }

    @Test func deepNestingIsAnError() throws {
        let bench = try ConfigBench()
        for text in [
            String(repeating: "a.", count: 400_000) + "a = 1\n[", "a = " + String(repeating: "[", count: 100_000),
            "[" + String(repeating: "a.", count: 999) + "a]\n" + String(repeating: "b.", count: 999) + "b = 1\n[",
        ] {
            #expect(bench.problems(ofJob: text).count == 1)
        }
    }

    /// As large as a file may be, and what is quadratic in it would take minutes.
    @Test(.timeLimit(.minutes(2))) func aLargeFileIsReadInSeconds() throws {
        let bench = try ConfigBench()
        let deep = String(repeating: "a.", count: 98)
        let texts = [
            String(repeating: "x", count: 1_000_000) + " = 1\n",
            (0..<4500).map { "\(deep)k\($0) = 1\n" }.joined(),
            (0..<100_000).map { "k\($0) = 1\n" }.joined(),
            "command = [" + String(repeating: "\"a\",\n", count: 180_000) + "]\n",
        ]
        for text in texts {
            #expect(!bench.problems(ofJob: text).isEmpty || text.hasPrefix("command"))
        }
    }

    /// Keys of many parts, each within the value of the last: no line has too many dots.
    @Test func deepNestingOverManyLinesIsAnError() throws {
        let bench = try ConfigBench()
        let deep = String(repeating: "a.", count: 990) + "a = "
        let text =
            String(repeating: deep + "[\n{", count: 100) + deep + "1" + String(repeating: "}]", count: 100) + "\n"
        #expect(bench.problems(ofJob: text).count == 1)
    }

    @Test func whatIsRightPassesTheGuard() throws {
        let text = #"""
            # everything that TOML has
            "quoted . key" = "a # b" # comment
            'literal.key' . sub = 'x"y'
            dates = [ 2026-01-01T10:00:00Z, 2026-01-01 10:00:00, 10:00:00, 2026-01-01, 1979-05-27t00:32:00.5-07:00, ]
            numbers = [ 1_000, 0xFF, 0o17, 0b1, -1.5e9, +inf, nan, ] # ]
            nested = [ [ 1, 2, ], [ "a", ], # {
              [], { x = [ 1 ], y.z = { } },
            ]
            text = """a "quoted" \
               ""\""" [ not a table = }""" # end
            more = """"""" # two of the quotes belong to the string
            literal = '''
            [[ = ]
            ''''
            empty = ""
            [ table . "x" ]
            flag = true
            [[ many ]]
            [[many]]
            """#
        let bytes = [0xEF, 0xBB, 0xBF] + Array(text.replacingOccurrences(of: "\n", with: "\r\n").utf8)
        _ = try TOMLText.parse(bytes, path: "f")
        _ = try TOMLText.parse(Array(text.utf8), path: "f")
    }

    @Test(arguments: [
        ("[ = ]", "f:1:3: expected a table's name after '[', saw '='"),
        ("a=1\n[[\nx]]", "f:2:3: expected a table's name after '[', saw the end of the line"),
        ("a = [ 1, } ]", "f:1:10: expected a value or ']' in an array, saw '}'"),
        ("a = [\u{A0}1]", "f:1:6: expected a value or ']' in an array, saw U+A0"),
        ("a = 2026-01-01T:", "f:1:16: expected a time after 'T', saw ':'"),
        ("a = 2026-01-01 1\n", "f:1:16: expected a time after the date, saw only '1'"),
        ("a = [ 20_26-0x-01 1, ]", "f:1:19: expected a time after the date, saw only '1'"),
    ])
    func whatTheParserDiesOfIsAnError(text: String, wanted: String) {
        let error = #expect(throws: ConfigProblem.self) { try TOMLText.parse(Array(text.utf8), path: "f") }
        #expect(error?.description == wanted)
    }
}
