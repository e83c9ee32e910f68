// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import CLinux

/// What a process has freed, and its allocator keeps.
package enum FreedMemory {
    /// Gives whole pages of it back to the system: some milliseconds, in which other threads may wait for memory.
    package static func giveBack() { _ = malloc_trim(0) }  // it says whether there was any
}
