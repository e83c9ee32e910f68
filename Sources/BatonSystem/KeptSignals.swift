// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Dispatch
import Glibc
import Synchronization

/// SIGTERM, SIGINT and SIGHUP, in the order in which they came.
///
/// They wait in the kernel until they are taken from there, also across an exec: none is lost between a program and the
/// one that takes its place.
package final class KeptSignals: Sendable {
    /// Ends after ``stop()``.
    package let taken: AsyncStream<Int32>
    private let source: Mutex<any DispatchSourceRead>
    private let inlet: AsyncStream<Int32>.Continuation

    /// Has them wait. To be called before there are other threads.
    package static func keep() { clinux_keep_signals() }

    /// Takes them from now on.
    package init() throws(SystemError) {
        let descriptor = try checked(clinux_kept_signals(), "signalfd")
        (taken, inlet) = AsyncStream.makeStream()
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: DispatchQueue(label: "baton.signals"))
        source.setEventHandler { [inlet] in
            while case let signal = clinux_take_signal(descriptor), signal != 0 { inlet.yield(signal) }
        }
        source.setCancelHandler { [inlet] in
            close(descriptor)
            inlet.finish()
        }
        source.activate()
        self.source = Mutex(source)
    }

    deinit { stop() }

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
