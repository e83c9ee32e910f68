// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Hummingbird
import Logging

/// The files of the node.
///
///     POST /v1/reload            read them again, and act on them
///     GET  /v1/reload            what that would do
extension ControlRoutes {
    func addReload(to router: Router<ControlContext>) {
        router.get("v1/reload") { _, _ in
            try ControlAnswer.json(try await backend.difference())
        }
        router.post("v1/reload") { request, context in
            _ = try await request.body.collect(upTo: Self.bodyLimit)
            var metadata = context.peer?.metadata ?? [:]
            metadata["act"] = "reload"
            // What comes of it is in the log in any case.
            logger.log(level: .notice, "operator's request", event: .operatorActed, metadata: metadata)
            return try ControlAnswer.json(try await backend.reload())
        }
    }
}
