// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A file with something wrong in it, and what Baton has to say about it.
struct BadFile: Sendable, CustomTestStringConvertible {
    var what: String
    var name = "bad"
    var content: Content
    /// The place in the file, as `:2:10`; the key; the reason: all of it is in the message.
    var says: [String]
    var testDescription: String { what }

    enum Content: Sendable {
        case text(String)
        case size(Int)
        case bytes([UInt8])
        case fifo
    }

    init(_ what: String, name: String = "bad", _ content: Content, says: String...) {
        self.what = what
        self.name = name
        self.content = content
        self.says = says
    }

    func write(to path: String) throws {
        switch content {
        case .text(let text): try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        case .bytes(let bytes): try Data(bytes).write(to: URL(fileURLWithPath: path))
        case .size(let size): try Data(repeating: UInt8(ascii: "#"), count: size).write(to: URL(fileURLWithPath: path))
        case .fifo: try #require(mkfifo(path, 0o644) == 0)
        }
    }

    static let jobs: [BadFile] = [
        BadFile(
            "a syntax error", .text("command = [\"/bin/true\"]\nuser = \"x\n"), says: ":2:10: ", "parsing string"),
        BadFile(
            "an unknown key", .text("command = [\"/bin/true\"]\n[stop]\nsignl = \"SIGINT\"\n"),
            says: ":3: stop.signl: unknown key", "did you mean 'signal'?"),
        BadFile(
            "an unknown table", .text("command = [\"/bin/true\"]\n[lcok]\ntimeout = \"1s\"\n"),
            says: ":2: lcok: unknown key", "did you mean 'lock'?"),
        BadFile(
            "a wrong type", .text("command = [\"/bin/true\"]\nnice = \"ten\"\n"),
            says: ":2: nice: is the string \"ten\"; wanted an integer"),
        BadFile(
            "a command that is a string", .text("command = \"/bin/true\"\n"),
            says: ":1: command: is the string", "wanted an array of strings"),
        BadFile("an empty command", .text("command = []\n"), says: ":1: command: is empty; wanted a program"),
        BadFile("an empty program", .text("command = [\"\"]\n"), says: ":1: command: element 1, the program, is empty"),
        BadFile("no command", .text("nice = 1\n"), says: "nothing to run", "command = "),
        BadFile("an empty file", .text(""), says: "nothing to run"),
        BadFile(
            "a bad duration", .text("command = [\"/bin/true\"]\nstop.timeout = \"5parsecs\"\n"),
            says: ":2: stop.timeout: ", "5parsecs"),
        BadFile(
            "a lost_grace that does not fit",
            .text("command = [\"/bin/true\"]\n[lock]\ntimeout = \"1s\"\nlost_grace = \"900ms\"\n"),
            says: "lock.timeout: lost_grace = 900ms is too long for lock.timeout = 1s", "timeout - drift - timeout/3"),
        BadFile(
            "a timeout above the fleet's", .text("command = [\"/bin/true\"]\nlock.timeout = \"10s\"\n"),
            says: ":2: lock.timeout: 10s is longer than store.max_lock_timeout = 2s"),
        BadFile(
            "a timeout below a second", .text("command = [\"/bin/true\"]\nlock.timeout = \"500ms\"\n"),
            says: ":2: lock.timeout: 500ms is too short"),
        BadFile(
            "an unknown signal", .text("command = [\"/bin/true\"]\nstop.signal = \"SIGTREM\"\n"),
            says: ":2: stop.signal: ", "SIGTREM"),
        BadFile("a 10 MB file", .size(10 << 20), says: "is too large: 10485760 bytes, at most 1048576"),
        BadFile("a binary file", .bytes([0x7F, 0x45, 0x4C, 0x46, 0xFF, 0xFE, 0, 1]), says: ":1: ", "not valid UTF-8"),
        BadFile("a NUL byte", .bytes(Array("nice = 1\n\0".utf8)), says: ":2:1: holds a NUL byte"),
        BadFile("a FIFO", .fifo, says: "is a FIFO; wanted a regular file"),
        BadFile(
            "a bad name", name: "Bad_Name", .text("command = [\"/bin/true\"]\n"),
            says: "'Bad_Name' cannot be a job's name"),
    ]

    /// What only root can ask for.
    static let rootJobs = [
        BadFile(
            "an unknown user", .text("command = [\"/bin/true\"]\nuser = \"nobodyknows\"\n"),
            says: ":2: user: there is no user 'nobodyknows'"),
        BadFile(
            "an unknown group", .text("command = [\"/bin/true\"]\ngroup = \"nobodyknows\"\n"),
            says: ":2: group: there is no group 'nobodyknows'"),
    ]

    static let nodes: [BadFile] = [
        BadFile("a syntax error", .text("[store\n"), says: ":1:7: ", "expected ']'"),
        BadFile(
            "an unknown key", .text("[store]\nurk = \"x\"\n"), says: ":2: store.urk: unknown key", "did you mean 'url'?"
        ),
        BadFile("a wrong type", .text("[node]\nname = 5\n"), says: ":2: node.name: is the integer 5; wanted a string"),
        BadFile(
            "an unknown scheme", .text("[store]\nurl = \"http://127.0.0.1\"\n"),
            says: ":2: store.url: ", "unknown scheme http://", "valkey://"),
        BadFile("a URL without a host", .text("[store]\nurl = \"valkey://\"\n"), says: ":2: store.url: has no host"),
        BadFile(
            "a URL with a host in brackets that is no IPv6 address", .text("[store]\nurl = \"valkey://[[a]:1/\"\n"),
            says: ":2: store.url: has something other than an IPv6 address between '[' and ']'"),
        BadFile(
            "a port that is none", .text("[store]\nurl = \"valkey://127.0.0.1:99999\"\n"),
            says: ":2: store.url: has a port that is not a number from 1 to 65535"),
        BadFile(
            "a bad duration", .text("[store]\nmax_lock_timeout = \"soon\"\n"),
            says: ":2: store.max_lock_timeout: ", "soon"),
        BadFile(
            "a default that is wrong", .text("[defaults.lock]\ntimeout = 15\n"),
            says: ":2: defaults.lock.timeout: is the integer 15"),
        BadFile("a 10 MB file", .size(10 << 20), says: "is too large"),
        BadFile("a binary file", .bytes([0xFF, 0xFE, 0, 1]), says: "not valid UTF-8"),
        BadFile("a FIFO", .fifo, says: "is a FIFO; wanted a regular file"),
    ]
}
