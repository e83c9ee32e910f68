// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Hummingbird
import NIOCore

/// What a handler on the control socket knows beside the request: the connection, and who is at its other end.
struct ControlContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel
    /// Filled in by `AccessMiddleware`; nil before it.
    var peer: ControlPeer?

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
        peer = nil
    }
}
