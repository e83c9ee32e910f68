// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Hummingbird
import Logging

/// The program that batond is.
///
///     POST /v1/reexec            replace it by the one on the disk; no workload notices
extension ControlRoutes {
    func addReexec(to router: Router<ControlContext>) {
        router.post("v1/reexec") { request, context in
            _ = try await request.body.collect(upTo: Self.bodyLimit)
            let metadata = context.peer?.metadata ?? [:]
            logger.log(
                level: .notice, "operator's request", event: .operatorActed,
                metadata: metadata.merging(["act": "reexec"]) { $1 })
            try await backend.prepareReplacement()
            let answer = try ControlAnswer.json(["done": "reexec"])
            // Who asked is told first: with this program its connections end.
            return Response(
                status: answer.status, headers: answer.headers,
                body: ResponseBody { writer in
                    // Also if the asker did not wait for the answer's end.
                    defer { backend.replace() }
                    try await answer.body.write(writer)
                })
        }
    }
}
