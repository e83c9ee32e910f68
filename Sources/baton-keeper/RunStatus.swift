// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc

/// The files that tell how a run ended, in the working directory.
enum RunStatus {
    /// Replaces the status. A failure is not told to anybody: there is nobody, and the daemon goes by its own deadline.
    static func write(_ end: RunEnd) {
        try? Files.write(RunFile.status, end.encode())
    }

    /// Whether an end was already established.
    static var exists: Bool { access(RunFile.status, F_OK) == 0 }

    /// The last output. A failure loses output, not the run's end.
    static func writeTail(_ bytes: Bytes) {
        try? Files.write(RunFile.tail, bytes)
    }
}
