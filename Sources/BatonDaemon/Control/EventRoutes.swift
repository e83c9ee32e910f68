// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Hummingbird

/// What happened on this node.
///
///     GET  /v1/events?lines=N&job=JOB            the last events, at most N, as lines of JSON
///     GET  /v1/events/follow?lines=N&job=JOB     the same, and those that come from then on
extension ControlRoutes {
    /// So often something is sent in any case: to find out that nobody is there any more.
    private static let signOfLife = Duration.seconds(5)

    func addEvents(to router: Router<ControlContext>) {
        router.get("v1/events") { request, _ in
            let (lines, job) = try await events(wantedBy: request)
            return ControlAnswer.lines { writer in
                for event in backend.events.last(lines, of: job) { try await writer.write(EventFrame(event: event)) }
            }
        }
        router.get("v1/events/follow") { request, _ in
            let (lines, job) = try await events(wantedBy: request)
            return ControlAnswer.lines { writer in
                let follower = backend.events.follow(lines, of: job)
                defer { backend.events.end(follower) }
                // Who asks learns at once that the daemon answers.
                try await writer.write(EventFrame())
                while !Task.isCancelled {
                    let news = await follower.next(until: BootClock.now() + Self.signOfLife)
                    if news.dropped > 0 { try await writer.write(EventFrame(dropped: news.dropped)) }
                    for event in news.events { try await writer.write(EventFrame(event: event)) }
                    if news.events.isEmpty { try await writer.write(EventFrame()) }
                }
            }
        }
    }

    /// - Throws: for a job that there is nothing to tell of, now or later.
    private func events(wantedBy request: Request) async throws -> (lines: Int, job: String?) {
        let lines = try request.number("lines", in: 0...EventLog.limit) ?? EventLog.limit
        guard let job = try request.uri.queryParameters["job"].map({ try Self.name($0) }) else { return (lines, nil) }
        // One that is gone may still have events.
        if backend.events.last(1, of: job).isEmpty { _ = try await backend.status(job: job) }
        return (lines, job)
    }
}
