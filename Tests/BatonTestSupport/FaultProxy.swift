// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Testing

@testable import BatonValkey

/// Stands between a store and its server, understands what is said, and strikes single requests and replies.
///
/// One thread carries all its connections; it has ended when `withFaultProxy` returns.
final class FaultProxy: Sendable {
    struct State {
        var faults: [(step: WireStep, fault: WireFault, isLasting: Bool)] = []
        var strikes: [WireStrike] = []
        /// How many requests of each name came from the client.
        var seen: [String: Int] = [:]
        /// Bytes that the client took in of endless replies.
        var swallowed = 0
        /// Nothing is held any more.
        var isDelivering = false
        /// Connections end at once.
        var isRefusing = false
        /// All connections are to end now.
        var cut: WireFault.Cut?
        /// Nothing is on its way to the server, or being done there; as of the last time somebody wanted to know.
        var isQuiet = false
        var isEnding = false
        var ended: CheckedContinuation<Void, Never>?
    }

    let state = Mutex(State())
    let listener: LoopbackListener
    /// Wakes the thread.
    let bell = ThreadBell()
    private let server: String

    var configuration: ValkeyStore.Configuration {
        ValkeyStore.Configuration(address: .tcp(host: "127.0.0.1", port: listener.port)).patient
    }

    fileprivate init(server: String) throws {
        self.server = server
        listener = try LoopbackListener()
        Thread.detachNewThread { [self] in
            ProxyLoop(self, server: server).run()
            state.withLock { $0.ended }?.resume()
        }
    }

    fileprivate func end() async {
        await withCheckedContinuation { ended in
            state.withLock {
                $0.isEnding = true
                $0.ended = ended
            }
            bell.ring()
        }
    }

    // MARK: Faults

    /// The next message of this step meets this fault.
    func strike(_ step: WireStep, _ fault: WireFault) { state.withLock { $0.faults.append((step, fault, false)) } }

    /// All messages of this step meet this fault, until `calm`.
    func strikeAlways(_ step: WireStep, _ fault: WireFault) { state.withLock { $0.faults.append((step, fault, true)) } }

    /// No message meets a fault any more, and connections are carried again.
    func calm() {
        state.withLock {
            $0.faults = []
            $0.isRefusing = false
        }
    }

    /// What was held passes, and nothing is held from now on.
    func deliver() {
        state.withLock { $0.isDelivering = true }
        bell.ring()
    }

    /// All connections end now.
    func cut(_ cut: WireFault.Cut) {
        state.withLock { $0.cut = cut }
        bell.ring()
    }

    /// All connections end now, and new ones at once, until `calm`.
    func refuse() {
        state.withLock {
            $0.cut = .rst
            $0.isRefusing = true
        }
        bell.ring()
    }

    // MARK: What happened

    var strikes: [WireStrike] { state.withLock { $0.strikes } }
    /// Bytes that the client took in of endless replies.
    var swallowed: Int { state.withLock { $0.swallowed } }
    func seen(_ command: String) -> Int { state.withLock { $0.seen[command] ?? 0 } }

    /// Returns when a fault has struck so many times.
    func struck(_ times: Int = 1, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await eventually("the fault strikes", sourceLocation: sourceLocation) { strikes.count >= times }
    }

    /// Returns when every request that the client wrote was carried out, or never will be.
    func settle(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        state.withLock { $0.isQuiet = false }
        try await eventually("what is on its way arrives", sourceLocation: sourceLocation) {
            bell.ring()
            return state.withLock { $0.isQuiet }
        }
    }
}

/// Runs `body` with a proxy before `server` that is gone when this returns.
func withFaultProxy<Result>(_ server: TestServer, _ body: (FaultProxy) async throws -> Result) async throws -> Result {
    let proxy = try FaultProxy(server: server.socket)
    let result: Swift.Result<Result, any Error>
    do { result = .success(try await body(proxy)) } catch { result = .failure(error) }
    await proxy.end()
    return try result.get()
}
