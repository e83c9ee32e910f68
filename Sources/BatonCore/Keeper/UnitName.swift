// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a run is called where it is a unit of systemd's.
package enum UnitName {
    /// The slice of all runs.
    package static let slice = "baton.slice"

    /// `baton-JOB-RUNID.service`: `systemctl status 'baton-*'` shows all of them, and a drop-in in
    /// `baton-.service.d` or `baton-JOB-.service.d` is for all of them, or those of one job.
    ///
    /// A job's name is made of what a unit's name may be made of; whatever else is escaped as systemd does.
    package static func of(job: String, runID: String) -> String {
        "baton-\(escaped(job))-\(escaped(runID)).service"
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16)
                result += "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
            }
        }
    }
}
