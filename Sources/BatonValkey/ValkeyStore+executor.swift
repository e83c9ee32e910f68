// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import NIOCore

extension ValkeyStore {
    /// Runs tasks on the thread of the store's connection. For benchmarks.
    package var executor: (any TaskExecutor)? { LoopExecutor(loop: loop) }
}

/// An event loop that tasks may prefer.
private final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
