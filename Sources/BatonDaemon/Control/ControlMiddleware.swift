// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Hummingbird
import Logging

/// Turns every error into `{"error": "…"}` with the status that `batonctl` takes its exit code from.
struct ErrorMiddleware: RouterMiddleware {
    let logger: Logger

    func handle(
        _ request: Request, context: ControlContext,
        next: @concurrent (Request, ControlContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as ControlError {
            switch error {
            case .unknownJob: return ControlAnswer.error(.notFound, "\(error)")
            case .failed: return ControlAnswer.error(.internalServerError, "\(error)")
            case .storeUnreachable: return ControlAnswer.error(.serviceUnavailable, "\(error)")
            case .badFiles(let refusal): return try ControlAnswer.json(refusal, status: .unprocessableContent)
            case .draining: return ControlAnswer.error(.conflict, "\(error)")
            }
        } catch let error as any HTTPResponseError {
            return ControlAnswer.error(error.status, (error as? HTTPError)?.body ?? error.status.reasonPhrase)
        } catch {
            logger.error("request on the control socket failed", metadata: ["error": "\(error)"])
            return ControlAnswer.error(.internalServerError, "internal error; the log of batond says more")
        }
    }
}
