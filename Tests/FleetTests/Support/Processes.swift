// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonSystem
import Foundation

/// The machine's processes, seen through /proc: in a way that Baton itself does not use.
enum Processes {
    /// Every process whose command line or environment mentions this text, but ourselves.
    static func mentioning(_ text: String) -> [Int32] {
        all().filter { pid in
            pid != getpid() && (contents(pid, "cmdline").contains(text) || contents(pid, "environ").contains(text))
        }
    }

    /// Alive: there, and not a zombie.
    static func isAlive(_ pid: Int32) -> Bool {
        guard let state = contents(pid, "stat").split(separator: ")").last?.split(separator: " ").first else {
            return false
        }
        return state != "Z" && state != "X"
    }

    static func parent(of pid: Int32) -> Int32? {
        contents(pid, "stat").split(separator: ")").last?.split(separator: " ").dropFirst().first.flatMap { Int32($0) }
    }

    static func children(of pid: Int32) -> [Int32] { all().filter { parent(of: $0) == pid } }

    /// How many descriptors a process has open.
    static func descriptors(of pid: Int32) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
    }

    /// What a process blocks, ignores and catches, as the kernel shows it.
    static func signals(of pid: Int32) throws -> [Substring] {
        let lines = contents(pid, "status").split(separator: "\n").filter { $0.hasPrefix("Sig") || $0.hasPrefix("Shd") }
        return lines.filter { !$0.hasPrefix("SigQ") && !$0.hasPrefix("SigPnd") && !$0.hasPrefix("ShdPnd") }
    }

    /// The name that the kernel has for it: the program's, up to 15 characters.
    static func name(of pid: Int32) -> String { String(contents(pid, "comm").dropLast()) }

    /// One of its variables, as it was started with them.
    static func variable(_ name: String, of pid: Int32) -> String? {
        let lines = contents(pid, "environ").split(separator: "\0")
        return lines.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }

    /// Whether this is systemd as a machine's first process.
    static func isSystemd(_ pid: Int32) -> Bool { contents(pid, "comm") == "systemd\n" }

    /// For people.
    static func commandLine(_ pid: Int32) -> String {
        contents(pid, "cmdline").replacingOccurrences(of: "\0", with: " ")
    }

    /// The cgroups below our own, where a node without a service of its own makes those of its runs.
    static func cgroups() -> [String] {
        let own = contents(getpid(), "cgroup").split(separator: "\n").first { $0.hasPrefix("0::") }?.dropFirst(3) ?? "/"
        for mount in ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"] {
            if FileManager.default.fileExists(atPath: mount + "/cgroup.procs") {
                let folder = mount + (own == "/" ? "" : own)
                return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).map { folder + "/" + $0 }
            }
        }
        return []
    }

    private static func all() -> [Int32] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
    }

    private static func contents(_ pid: Int32, _ file: String) -> String {
        String(decoding: ((try? Files.read("/proc/\(pid)/\(file)", limit: 1 << 20)) ?? nil) ?? [], as: UTF8.self)
    }
}

/// The sources that the tests were built from.
enum Checkout {
    static let path = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }.path
}

/// The programs under test, beside the tests.
enum Binary {
    static let folder: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        var folder = (own as NSString).deletingLastPathComponent
        // The test runner may be the toolchain's own; then the build folder is below the working directory.
        if !FileManager.default.isExecutableFile(atPath: folder + "/batond") {
            folder = FileManager.default.currentDirectoryPath + "/.build/debug"
        }
        return folder
    }()
    static var batond: String { folder + "/batond" }
    static var batonctl: String { folder + "/batonctl" }
    static var keeper: String { folder + "/baton-keeper" }
    static var workload: String { folder + "/test-workload" }
    static var badLine: String { folder + "/bad-line" }
}
