// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a workload says of itself, in the words of `sd_notify`: one datagram, a `KEY=value` a line.
///
/// Keys that say nothing to a keeper (`STOPPING`, `MAINPID`, `FDSTORE` and so on) are passed over, as they are meant to be.
package struct WorkloadNotice: Equatable, Sendable {
    /// What it says about its own health.
    package enum Health: Equatable, Sendable {
        /// `WATCHDOG=1`: it is alive.
        case alive
        /// `WATCHDOG=trigger`: it found out itself that it is not.
        case hung
    }

    /// `READY=1`: it has started.
    package var isReady = false
    /// `STATUS=`: one line for people.
    package var status: String?
    package var health: Health?
    /// `EXTEND_TIMEOUT_USEC=`: it needs that much more time, from now.
    package var extends: Duration?

    /// More than that of a status is cut.
    package static let longestStatus = 256
    /// A datagram that is longer says nothing.
    package static let longest = 4096
    /// No start is put off for longer by one message.
    private static let longestExtension: Int64 = 86_400_000_000

    package init(isReady: Bool = false, status: String? = nil, health: Health? = nil, extends: Duration? = nil) {
        self.isReady = isReady
        self.status = status
        self.health = health
        self.extends = extends
    }

    /// Reads a datagram. Of a key that is there twice, the last counts.
    package init(decoding bytes: some Collection<UInt8>) {
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let value = line[line.index(after: equals)...]
            switch String(decoding: line[..<equals], as: UTF8.self) {
            case "READY": if value.elementsEqual("1".utf8) { isReady = true }
            case "STATUS": status = String(decoding: value.prefix(Self.longestStatus), as: UTF8.self)
            case "WATCHDOG":
                if value.elementsEqual("1".utf8) { health = .alive }
                if value.elementsEqual("trigger".utf8) { health = .hung }
            case "EXTEND_TIMEOUT_USEC":
                guard let number = Int64(String(decoding: value, as: UTF8.self)), number > 0 else { continue }
                extends = .microseconds(min(number, Self.longestExtension))
            case _: continue
            }
        }
    }
}
