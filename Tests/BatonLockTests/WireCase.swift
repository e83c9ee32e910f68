// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock

@testable import BatonTestSupport

/// A column of the matrix: what happens on the wire, and what the caller has to be told.
struct WireCase: Sendable {
    enum Expectation: Sendable {
        /// The fault is overcome within the request's own time.
        case succeeds
        /// The client can't know: the server may have done it, or may do it later.
        case unknown
        /// What the client sees of the fault depends on the kernel's timing.
        case succeedsOrUnknown
        /// Not done, and said so: the code, and a word of the server's that the message has in it.
        case fails(LockError.Code, saying: String)
    }
    let name: String
    let fault: WireFault
    let expectation: Expectation
    /// The fault strikes every attempt, not only the first.
    var isLasting = false
    /// Nothing comes back: the call ends at its timeout, and not before.
    var hangs = false

    static let all = slow + lost + cut + garbled + endless + passing + lastingErrors + refusals

    private static let slow = [
        WireCase(name: "the request is late", fault: .requestLate(.milliseconds(30)), expectation: .succeeds),
        WireCase(name: "the reply is late", fault: .replyLate(.milliseconds(30)), expectation: .succeeds),
        WireCase(name: "the request comes too late", fault: .requestHeld, expectation: .unknown, hangs: true),
        WireCase(name: "the reply comes too late", fault: .replyHeld, expectation: .unknown, hangs: true),
    ]

    private static let lost = [
        WireCase(name: "the request is lost", fault: .requestLost, expectation: .unknown, hangs: true),
        WireCase(name: "the reply is lost", fault: .replyLost, expectation: .unknown, hangs: true),
        WireCase(name: "half of the reply is lost", fault: .replyHalved, expectation: .unknown, hangs: true),
    ]

    private static let cut = WireFault.Cut.allCases.flatMap { cut in
        WireFault.Place.allCases.flatMap { place in
            [
                WireCase(
                    name: "\(cut.rawValue) \(place) the request", fault: .requestCut(place, cut), expectation: .unknown),
                WireCase(
                    name: "\(cut.rawValue) \(place) the reply", fault: .replyCut(place, cut),
                    expectation: place == .after ? .succeedsOrUnknown : .unknown),
            ]
        }
    }

    /// What is not RESP, and what is RESP but no answer of ours.
    private static let garbled = [
        "HTTP/1.1 400 Bad Request\r\n\r\n", "\u{0}\u{1}\u{2}\u{3}", "*500000000\r\n", "*2\r\n*1025\r\n",
        "$99999999999999999999\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", ":7\r\n",
        ":7\r\n:8\r\n", "*0\r\n", "*2\r\n$4\r\nwhat\r\n$1\r\n7\r\n", "*2\r\n:1\r\n:1\r\n",
    ].map { text in
        WireCase(name: "the reply is \(text.debugDescription)", fault: .garbled(text), expectation: .unknown)
    }

    private static let endless = [
        WireCase(
            name: "2 GB are announced", fault: .garbled("$2147483647\r\n"), expectation: .unknown, hangs: true),
        WireCase(
            name: "2 GB are announced, and come", fault: .replyEndless(Array("$2147483647\r\n".utf8), filling),
            expectation: .unknown),
        WireCase(
            name: "a line never ends", fault: .replyEndless(Array("+".utf8), filling), expectation: .unknown),
        WireCase(
            name: "an array never ends",
            fault: .replyEndless(Array("*1000\r\n".utf8), Array("*1000\r\n:1\r\n$3\r\nabc\r\n".utf8)),
            expectation: .unknown),
    ]
    private static let filling = [UInt8](repeating: UInt8(ascii: "A"), count: 1 << 16)

    static let passingErrors = [
        "LOADING Redis is loading the dataset in memory", "TRYAGAIN Multiple keys request during rehashing of slot",
        "READONLY You can't write against a read only replica.", "CLUSTERDOWN The cluster is down",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        // Redis before 7 wraps what a command in a script ends with.
        "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: "
            + "-READONLY You can't write against a read only replica.",
    ]
    private static let passing = passingErrors.map { error in
        WireCase(name: "once \(label(error))", fault: .refused(error), expectation: .succeeds)
    }
    private static let lastingErrors = passingErrors.map { error in
        WireCase(
            name: "always \(label(error))", fault: .refused(error),
            expectation: .fails(.unavailable, saying: word(error)), isLasting: true)
    }

    private static let refusals =
        [
            "OOM command not allowed when used memory > 'maxmemory'.", "NOREPLICAS Not enough good replicas to write.",
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            "ERR Error running script (call to f_1): @user_script:1: @user_script: 1: "
                + "-OOM command not allowed when used memory > 'maxmemory'.",
            "MOVED 3999 127.0.0.1:6381", "ERR max number of clients reached",
        ].map { error in
            WireCase(
                name: label(error), fault: .refused(error), expectation: .fails(.refused, saying: word(error)),
                isLasting: true)
        }
        + ["NOAUTH Authentication required.", "NOPERM this user has no permissions to run the 'evalsha' command"].map {
            error in
            WireCase(
                name: label(error), fault: .refused(error), expectation: .fails(.notPermitted, saying: word(error)),
                isLasting: true)
        }

    static let noScript = "NOSCRIPT No matching script. Please use EVAL."

    private static func label(_ error: String) -> String {
        error.hasPrefix("ERR Error") ? "\(word(error)) in a script" : word(error)
    }

    /// The word that says what it is.
    private static func word(_ error: String) -> String {
        let words = error.split { !($0.isASCII && $0.isUppercase) }.map(String.init).filter { $0.count > 3 }
        return words.first { $0 != "ERR" } ?? (error.contains("OOM") ? "OOM" : "max number of clients")
    }
}
