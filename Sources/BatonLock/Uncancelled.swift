// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Runs `body` to its end even when the calling task is cancelled, and waits for it.
///
/// The one place for work that must happen *because* we are cancelled: giving a lock back. The task is unstructured
/// only in form: its scope ends with the body, and the body has a deadline of its own.
package func uncancelled<Result: Sendable>(_ body: @escaping @Sendable () async -> Result) async -> Result {
    await Task { await body() }.value
}
