// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// One timer for many deadlines: it goes off at the earliest it was told of, or earlier. Confined to its event loop.
///
/// A timer of its own for each request, set and cancelled again, costs more than the request. Deadlines of what ended
/// in time are not taken back: the owner looks who is late, and says what is the next.
final class DeadlineTimer {
    private var armed: NIODeadline?

    /// Makes sure that `goOff` is called at `deadline` or before.
    func cover(_ deadline: NIODeadline, on loop: any EventLoop, _ goOff: @escaping () -> Void) {
        if let armed, armed <= deadline { return }
        armed = deadline
        loop.assumeIsolated().scheduleTask(deadline: deadline) {
            // One that was overtaken by an earlier one has nothing to do.
            guard self.armed == deadline else { return }
            self.armed = nil
            goOff()
        }
    }
}
