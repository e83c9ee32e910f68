// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import CLinux
import Glibc

/// A process that can't be mistaken for another, whatever becomes of its pid. Closed when nobody refers to it any more.
package final class PidFd: Sendable {
    /// Readable once the process has ended.
    package let descriptor: Int32

    /// The process with this pid now.
    ///
    /// - Throws: ESRCH when there is none.
    package init(of pid: Int32) throws(SystemError) {
        descriptor = try checked(clinux_pidfd_open(pid), "pidfd_open \(pid)")
    }

    deinit { close(descriptor) }

    /// Sends a signal. A process that has ended gets none, which is not an error.
    package func signal(_ number: Int32) throws(SystemError) {
        let result = clinux_pidfd_signal(descriptor, number)
        if result != -ESRCH { try checked(result, "pidfd_send_signal \(number)") }
    }

    /// Waits for a child that has ended, so that no zombie is left; nil: it has not ended, or is not our child.
    @discardableResult
    package func reap() -> RunEnd.Exit? {
        var code: Int32 = 0
        var status: Int32 = 0
        guard clinux_pidfd_reap(descriptor, &code, &status) == 1 else { return nil }
        return code == CLD_EXITED ? .code(status) : .signal(status)
    }
}
