// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Runs tasks on an event loop, for those who prefer to be where their requests are sent.
final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        loop.execute { job.runSynchronously(on: executor) }
    }
}
