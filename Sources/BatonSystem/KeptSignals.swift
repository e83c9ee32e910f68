// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Dispatch
import Glibc
import Synchronization

/// SIGTERM, SIGINT and SIGHUP, counted until they are taken.
///
/// What was not taken stays for the program that takes this one's place by an exec: none is lost in between.
package final class KeptSignals: Sendable {
    /// Ends after ``stop()``.
    package let taken: AsyncStream<Int32>
    private let source: Mutex<any DispatchSourceRead>

    /// Takes them from now on. For one object, in one program.
    package init() throws(SystemError) {
        let counter = try checked(clinux_keep_signals(), "keep signals")
        let (taken, inlet) = AsyncStream.makeStream(of: Int32.self)
        self.taken = taken
        let queue = DispatchQueue(label: "baton.signals")
        let source = DispatchSource.makeReadSource(fileDescriptor: counter, queue: queue)
        source.setEventHandler {
            let counts = clinux_take_signals(counter)
            // A reload that came before a stop is of no use, and one that came after it neither.
            for (signal, shift) in [(SIGHUP, 32), (SIGINT, 16), (SIGTERM, 0)] {
                for _ in 0..<(counts >> shift) & 0xffff { inlet.yield(signal) }
            }
        }
        // The descriptor stays open, as long as the process: the handler writes to it.
        source.setCancelHandler { inlet.finish() }
        source.activate()
        self.source = Mutex(source)
    }

    deinit { stop() }

    /// Has the program that follows find a SIGTERM.
    package static func leaveStop() { clinux_add_signal(SIGTERM) }

    /// As people know it.
    package static func name(_ signal: Int32) -> String {
        switch signal {
        case SIGTERM: "SIGTERM"
        case SIGINT: "SIGINT"
        case SIGHUP: "SIGHUP"
        default: "signal \(signal)"
        }
    }

    /// Takes no more of them. The stream ends with those that were taken before.
    package func stop() { source.withLock { $0.cancel() } }
}
