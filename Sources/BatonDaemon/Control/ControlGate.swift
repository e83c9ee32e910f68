// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Hummingbird
import Logging
import NIOCore

/// Finds out who asks, and turns away whoever has not the right to. Each refusal leaves a trace.
struct ControlGate {
    let access: ControlAccess
    let logger: Logger

    /// - Throws: 403 for a peer that may not, with a message that says who may.
    func admit(_ peer: ControlPeer?, needing right: ControlAccess.Right, to request: Request) throws(HTTPError) {
        guard let peer else { throw HTTPError(.forbidden, message: "it is not known who is asking") }
        guard let refusal = access.refusal(of: peer, needing: right) else { return }
        var metadata = peer.metadata
        metadata["request"] = "\(request.method) \(request.uri.path.prefix(300))"
        logger.log(
            level: .notice, "request on the control socket refused", event: .operatorRefused, metadata: metadata)
        throw HTTPError(.forbidden, message: refusal)
    }
}

/// The first to see a request: a stranger gets no answer from what comes after it, and who may only look changes nothing.
struct AccessMiddleware: RouterMiddleware {
    let gate: ControlGate

    func handle(
        _ request: Request, context: ControlContext,
        next: @concurrent (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        let peer: ControlPeer
        do {
            peer = try await ControlPeer.of(context.channel)
        } catch {
            throw HTTPError(.forbidden, message: "the kernel does not say who is asking: \(error)")
        }
        // A request that only looks may still ask for more rights, where it is handled.
        try gate.admit(peer, needing: request.method == .get ? .look : .act, to: request)
        var context = context
        context.peer = peer
        return try await next(request, context)
    }
}

extension ControlPeer {
    /// As the log has it.
    var metadata: Logger.Metadata { ["uid": "\(uid)", "gid": "\(gid)", "pid": "\(pid)"] }

    /// Asks the kernel.
    fileprivate static func of(_ channel: any Channel) async throws -> ControlPeer {
        let peer = try await channel.eventLoop.submit {
            try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
                try ControlPeer(socket: $0)
            }
        }.get()
        guard let peer else { throw ChannelError.operationUnsupported }
        return peer
    }
}
