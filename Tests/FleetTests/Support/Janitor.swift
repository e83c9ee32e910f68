// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// Removes what a test has left on this system when the tests themselves were killed.
///
/// It is a shell that is told beforehand what to do, and does it when its input ends. What is gone by then is no matter:
/// every name is used once.
final class Janitor: Sendable {
    static let shared = Janitor()

    private let input: Mutex<FileHandle?>

    private init() {
        let script = """
            trap '' INT TERM HUP
            while read -r line; do work="$line\n$work"; done
            printf '%s' "$work" | while read -r line; do timeout 20 sh -c "$line"; done
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setsid")
        process.arguments = ["/bin/sh", "-c", script]
        let pipe = Pipe()
        process.standardInput = pipe
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        // Without it, tests clean up only as long as they live themselves.
        let isRunning = (try? process.run()) != nil
        input = Mutex(isRunning ? pipe.fileHandleForWriting : nil)
    }

    /// These shell commands run when the tests are over, the last one first; each in one line.
    private func add(_ commands: [String]) {
        let text = commands.map { $0 + "\n" }.joined()
        input.withLock { try? $0?.write(contentsOf: Data(text.utf8)) }
    }

    func sweepIfKilled(machineIn folder: String, groups: [String]) {
        let groups = groups.joined(separator: " ")
        add([
            "rm -rf --one-file-system \(folder)",
            "find \(groups) -depth -type d -exec rmdir {} +",
            "umount --lazy \(folder)/root \(folder)",
            "! test -e \(folder)/root || sleep 1",
            "for group in \(groups); do echo 1 >$group/cgroup.kill; done",
        ])
    }

    /// A network namespace, with every process in it.
    func sweepIfKilled(namespace: String) {
        add(["ip netns delete \(namespace)", "ip netns pids \(namespace) | xargs --no-run-if-empty kill -9"])
    }

    func sweepIfKilled(mounted folder: String) { add(["rmdir \(folder)", "umount --lazy \(folder)"]) }

    func sweepIfKilled(folder: String) { add(["rm -rf --one-file-system \(folder)"]) }
}
