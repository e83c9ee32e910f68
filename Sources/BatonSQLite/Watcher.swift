// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Glibc
import Synchronization

/// An inotify watch on one file, until it is cancelled.
final class Watcher: Sendable {
    private let source: Mutex<any DispatchSourceRead>

    /// Nil when the file cannot be created or watched.
    ///
    /// - Parameters:
    ///   - onChange: called when the file was written.
    ///   - onReplaced: called when the file is gone from its path; this watch sees no more.
    init?(path: String, onChange: @escaping @Sendable () -> Void, onReplaced: @escaping @Sendable () -> Void) {
        if mknod(path, S_IFREG | 0o600, 0) != 0, errno != EEXIST { return nil }
        let descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        if descriptor < 0 { return nil }
        let gone = UInt32(IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)
        if inotify_add_watch(descriptor, path, UInt32(IN_MODIFY) | gone) < 0 {
            close(descriptor)
            return nil
        }
        let watched = FileIdentity(path: path)
        let queue = DispatchQueue(label: "baton.announcements")
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        source.setEventHandler {
            // What happened is in the database; the events are only drained. One read may hold many.
            var buffer = [UInt8](repeating: 0, count: 4096)
            while read(descriptor, &buffer, buffer.count) > 0 {}
            if FileIdentity(path: path) != watched { onReplaced() } else { onChange() }
        }
        source.setCancelHandler { close(descriptor) }
        source.resume()
        self.source = Mutex(source)
    }

    func cancel() {
        source.withLock { $0.cancel() }
    }
}
