// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// The file that is written to tell others: kept open, and opened again when another one is at its path.
final class AnnouncementFile: Sendable {
    private struct Opened {
        let descriptor: Int32
        let identity: FileIdentity
    }

    private let path: String
    private let opened = Mutex<Opened?>(nil)

    init(path: String) {
        self.path = path
    }

    deinit {
        opened.withLock { if let opened = $0 { close(opened.descriptor) } }
    }

    /// Touches it. Nothing happens if that is not possible.
    func write() {
        // The lock keeps the descriptor from being closed meanwhile; there is only one thread that writes.
        opened.withLock { opened in
            // One that was deleted could still be written, and nobody would hear.
            if opened == nil || FileIdentity(path: path) != opened?.identity {
                if let previous = opened { close(previous.descriptor) }
                opened = open()
            }
            guard let opened else { return }
            var mark = UInt8(ascii: "\n")
            pwrite(opened.descriptor, &mark, 1, 0)
        }
    }

    private func open() -> Opened? {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        if descriptor < 0 { return nil }
        guard let identity = FileIdentity(descriptor: descriptor) else {
            close(descriptor)
            return nil
        }
        return Opened(descriptor: descriptor, identity: identity)
    }
}
