// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import Glibc
import Testing

@Suite struct ValueTests {
    @Test(arguments: [
        ("0s", Duration.zero), ("1ms", .milliseconds(1)), ("1.5s", .milliseconds(1500)), ("1m30s", .seconds(90)),
        ("2h", .seconds(7200)), ("1d", .seconds(86400)), ("0.25m", .seconds(15)), ("1s1s", .seconds(2)),
        ("0.1s", .milliseconds(100)), ("36525d", .seconds(36525 * 86400)),
    ])
    func goodDurations(text: String, wanted: Duration) throws {
        #expect(try DurationText.parse(text) == wanted)
        #expect(try DurationText.parse(DurationText.describe(wanted)) == wanted)
    }

    @Test(arguments: [
        ("", "is empty; wanted a duration such as \"30s\""),
        ("5", "\"5\" lacks a unit after 5; wanted one of ms s m h d"),
        ("-5s", "\"-5s\" is negative"),
        ("1 s", "\"1 s\" has a space in it; write it without, as \"1m30s\""),
        ("5 ", "\"5 \" has a space in it; write it without, as \"1m30s\""),
        (" 5s", "\" 5s\" has a space in it; write it without, as \"1m30s\""),
        ("5y", "\"5y\" has the unknown unit \"y\"; wanted one of ms s m h d"),
        ("s", "\"s\" is not a duration; wanted numbers with units (ms s m h d), as \"1m30s\""),
        ("1..5s", "\"1..5s\" has a malformed number, \"1..5\""),
        (".5s", "\".5s\" has a malformed number, \".5\""),
        ("5.s", "\"5.s\" has a malformed number, \"5.\""),
        ("99999999999999999999s", "\"99999999999999999999s\" is too long: more than 100 years"),
        ("9223372036854775807d", "\"9223372036854775807d\" is too long: more than 100 years"),
        ("36526d", "\"36526d\" is too long: more than 100 years"),
        ("NaNs", "\"NaNs\" is not a duration; wanted numbers with units (ms s m h d), as \"1m30s\""),
        ("1e3s", "\"1e3s\" has the unknown unit \"e\"; wanted one of ms s m h d"),
    ])
    func badDurations(text: String, wanted: String) {
        do {
            let duration = try DurationText.parse(text)
            Issue.record("\(text) was read as \(duration)")
        } catch {
            #expect(error.reason == wanted)
        }
    }

    @Test func signals() {
        for (text, number) in [
            ("SIGTERM", SIGTERM), ("term", SIGTERM), ("9", 9), ("SIGRTMIN", 34), ("RTMIN+2", 36), ("sigint", SIGINT),
        ] { #expect(SignalName.number(text) == number) }
        for text in ["", "0", "65", "-1", "SIG", "SIGSIGTERM", "RTMIN+31", "RTMIN-1", "TERM "] {
            #expect(SignalName.number(text) == nil, "\(text)")
        }
    }

    @Test func environmentFiles() throws {
        let text = """
            # a comment \\
              that goes on
            ; another one
            A=1
              B = two words  \u{20}
            C="quoted # \\" \\\\ \\$ \\n"
            D='single "\\" $'
            E=con\\
            tinued
            F=
            G=a"b c"'d'
            H=a\\ b
            I="two
            lines"
            A=2\r
            """
        let wanted = [
            "A": "2", "B": "two words", "C": "quoted # \" \\ $ \\n", "D": "single \"\\\" $", "E": "continued", "F": "",
            "G": "ab cd", "H": "a b", "I": "two\nlines",
        ]
        #expect(try EnvironmentFile.parse(Array(text.utf8), path: "f") == wanted)
        #expect(try EnvironmentFile.parse([], path: "f") == [:])
        #expect(try EnvironmentFile.parse(Array("A=".utf8), path: "f") == ["A": ""])
    }

    @Test(arguments: [
        ("A", "f:1: has no '='; wanted KEY=VALUE"), ("\nA\nB=1", "f:2: has no '='; wanted KEY=VALUE"),
        (
            "export A=1",
            "f:1: what is before the '=' cannot name a variable; wanted letters, digits and _; leave out the word export"
        ),
        ("=1", "f:1: has no name before the '='"), ("A=\"x", "f:1: A: has a \" that is never closed"),
        ("A=1\n1B=2", "f:2: what is before the '=' cannot name a variable; wanted letters, digits and _"),
        ("BATON_FENCE=1", "f:1: BATON_FENCE: 'BATON_FENCE' is set by Baton itself"),
        ("A=\0", "f:1: A: holds a NUL character"), ("A='\0'", "f:1: A: holds a NUL character"),
        ("A=a\\\0b", "f:1: A: holds a NUL character"), ("A=\"\\\0\"", "f:1: A: holds a NUL character"),
    ])
    func badEnvironmentFiles(text: String, wanted: String) {
        do {
            let result = try EnvironmentFile.parse(Array(text.utf8), path: "f")
            Issue.record("was read as \(result)")
        } catch {
            #expect(error.description == wanted)
        }
    }

    @Test func anOptionalEnvironmentFileMayBeMissing() throws {
        #expect(try EnvironmentFile.read("-/nonexistent/file") == [:])
        #expect(throws: ConfigProblem.self) { try EnvironmentFile.read("/nonexistent/file") }
    }
}
