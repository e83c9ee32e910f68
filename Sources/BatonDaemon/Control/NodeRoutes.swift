// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Hummingbird

/// What the nodes say of each other.
///
///     GET  /v1/nodes             every live node
///     GET  /v1/explain/JOB       why a job runs here, or does not
extension ControlRoutes {
    func addNodes(to router: Router<ControlContext>) {
        router.get("v1/nodes") { _, _ in
            try ControlAnswer.json(try await backend.nodes())
        }
        router.get("v1/explain/:job") { _, context in
            try ControlAnswer.json(try await backend.explain(job: try Self.job(context)))
        }
    }
}
