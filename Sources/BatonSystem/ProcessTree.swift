// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Finds processes in `/proc` and kills them: the second line behind `cgroup.kill`, and the only one without a cgroup.
///
/// One call is one look: what is born meanwhile is missed, so the caller repeats it until nothing is left.
package enum ProcessTree {
    private struct Process {
        var pid: pid_t
        var parent: pid_t
        var group: pid_t
        var started: UInt64
        var isZombie: Bool
    }

    /// Kills every living descendant of `root`, itself excepted, and returns how many there were.
    ///
    /// `spared` is not killed, its descendants are.
    @discardableResult
    package static func killDescendants(of root: Int32, sparing spared: Int32 = 0) -> Int {
        let all = processes()
        var family: Set<pid_t> = [root]
        var size = 0
        while family.count != size {
            size = family.count
            for process in all where family.contains(process.parent) { family.insert(process.pid) }
        }
        var living = 0
        for process in all where family.contains(process.pid) && process.pid != root && process.pid != spared {
            if process.isZombie { continue }
            living += 1
            kill(process)
        }
        return living
    }

    /// Kills every living process that has `BATON_RUN_ID=runID` in its environment, and returns how many there were.
    ///
    /// It finds what left the tree; it does not find what was given another environment.
    @discardableResult
    package static func killBearers(ofRun runID: String) -> Int {
        let needle = Array("BATON_RUN_ID=\(runID)".utf8)
        let mine = getpid()
        var living = 0
        for process in processes() where !process.isZombie && process.pid != mine {
            if !bears(needle, process.pid) { continue }
            living += 1
            kill(process)
        }
        return living
    }

    /// Whether anybody lives in this process group. Its leader must not have been reaped, or the number may be another's.
    package static func hasMembers(group: Int32) -> Bool { processes().contains { $0.group == group && !$0.isZombie } }

    /// By pidfd, and only if it is still the process that was looked at.
    private static func kill(_ process: Process) {
        let pidfd = clinux_pidfd_open(process.pid)
        if pidfd < 0 { return }
        defer { close(pidfd) }
        guard let now = look(process.pid), now.started == process.started else { return }
        _ = clinux_pidfd_signal(pidfd, SIGKILL)
    }

    private static func processes() -> [Process] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var found: [Process] = []
        while let entry = readdir(folder) {
            let pid = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { atoi($0) }
            }
            if pid > 0, let process = look(pid) { found.append(process) }
        }
        return found
    }

    /// Reads `/proc/PID/stat`; nil: there is no such process any more.
    private static func look(_ pid: pid_t) -> Process? {
        let file = open("/proc/\(pid)/stat", O_RDONLY | O_CLOEXEC)
        if file < 0 { return nil }
        defer { close(file) }
        return withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
            let count = read(file, buffer.baseAddress, buffer.count)
            if count <= 0 { return nil }
            // The program's name is in parentheses and may contain anything, parentheses as well.
            let line = buffer[..<count]
            guard let close = line.lastIndex(of: UInt8(ascii: ")")) else { return nil }
            let fields = line[(close + 1)...].split(separator: UInt8(ascii: " "))
            guard fields.count > 19, let parent = number(fields[1]), let group = number(fields[2]),
                let started = number(fields[19])
            else {
                return nil
            }
            let state = fields[0].first
            return Process(
                pid: pid, parent: pid_t(truncatingIfNeeded: parent), group: pid_t(truncatingIfNeeded: group),
                started: started,
                isZombie: state == UInt8(ascii: "Z") || state == UInt8(ascii: "X"))
        }
    }

    private static func number(_ digits: some Sequence<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value &* 10 &+ UInt64(digit - UInt8(ascii: "0"))
        }
        return value
    }

    /// Whether a variable of the environment is `needle`, byte for byte. Read in pieces: it may be megabytes.
    private static func bears(_ needle: [UInt8], _ pid: pid_t) -> Bool {
        let file = open("/proc/\(pid)/environ", O_RDONLY | O_CLOEXEC)
        if file < 0 { return false }
        defer { close(file) }
        return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            var matched: Int? = 0  // how much of the variable read so far is the needle's beginning; nil: it is another
            while true {
                let count = read(file, buffer.baseAddress, buffer.count)
                if count <= 0 { return matched == needle.count }
                for byte in buffer[..<count] {
                    if byte == 0 {
                        if matched == needle.count { return true }
                        matched = 0
                    } else if let so = matched {
                        matched = so < needle.count && needle[so] == byte ? so + 1 : nil
                    }
                }
            }
        }
    }
}
