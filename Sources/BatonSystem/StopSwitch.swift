// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Is off, and once on for ever: for who waits in the kernel.
package final class StopSwitch: Sendable {
    /// Readable once it is on.
    package let descriptor: Int32

    package init() throws(SystemError) { descriptor = try checked(clinux_eventfd(), "eventfd") }

    deinit { close(descriptor) }

    /// Nobody reads it, and so everybody sees it.
    package func turnOn() {
        var one: UInt64 = 1
        write(descriptor, &one, 8)
    }
}
