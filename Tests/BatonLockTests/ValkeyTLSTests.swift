// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// Over TLS nobody is believed, and nothing is told, before the certificate has been verified.
@Suite(.timeLimit(.minutes(2)))
struct ValkeyTLSTests {
    private let connecting = ValkeyConnectingTests()
    private var secret: String { ValkeyConnectingTests.secret }

    @Test
    func certificatesAndNamesAreVerified() async throws {
        try await withServer(.init(tls: true)) { server in
            var configuration = server.tls
            try await withValkeyStore(configuration) { store in _ = try await store.look() }
            configuration.caFile = TestCertificates.shared.strangerCA
            let stranger = try await connecting.failure(configuration)
            #expect(stranger.code == .notPermitted && stranger.message.contains("not trusted"), "\(stranger)")
            configuration.caFile = nil
            #expect(try await connecting.failure(configuration).code == .notPermitted)
            configuration.caFile = TestCertificates.shared.ca
            configuration.address = .tcp(host: "127.0.0.1", port: server.tlsPort)
            let name = try await connecting.failure(configuration)
            #expect(name.code == .notPermitted && name.message.contains("another name"), "\(name)")
            configuration.caFile = "/nowhere/ca.pem"
            let file = try await connecting.failure(configuration)
            #expect(file.code == .invalidArgument && file.message.contains("/nowhere/ca.pem"), "\(file)")
            configuration = server.tls
            configuration.username = "default"
            configuration.password = secret
            for name in TestCertificates.untrustworthy {
                let files = TestCertificates.shared.folder + "/\(name)"
                try server.ask("CONFIG", "SET", "tls-cert-file", files + ".pem", "tls-key-file", files + ".key")
                let error = try await connecting.failure(configuration)
                #expect(error.code == .notPermitted && error.message.contains("certificate"), "\(name): \(error)")
            }
            #expect(
                try server.ask("INFO", "commandstats").text?.contains("cmdstat_auth") == false,
                "no password was sent to any of them")
            // TLS to a port without, and the other way round.
            configuration = server.tls
            configuration.address = server.tcp.address
            #expect(
                [.protocolViolation, .unreachable].contains(
                    try await connecting.failure(configuration, timeout: .seconds(1)).code)
            )
            configuration = server.tcp
            configuration.address = .tcp(host: "localhost", port: server.tlsPort)
            #expect(
                [.protocolViolation, .unreachable].contains(
                    try await connecting.failure(configuration, timeout: .seconds(1)).code)
            )
        }
    }

    /// Before the other side has shown a certificate it gets nothing but the beginning of a handshake.
    @Test(arguments: ["+OK\r\n", "-ERR Protocol error\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\u{15}\u{3}\u{1}", ""])
    func aPeerWithoutTLSGetsNoPassword(answer: String) async throws {
        let received = Shared<[UInt8]>([])
        try await withPeer { receive, send in
            if let bytes = receive() { received.change { $0 += bytes } }
            send(Array(answer.utf8))
            while !answer.isEmpty, let bytes = receive() { received.change { $0 += bytes } }
        } _: { peer in
            var configuration = peer.configuration
            configuration.tls = true
            configuration.caFile = TestCertificates.shared.ca
            configuration.password = secret
            configuration.connectTimeout = .milliseconds(300)
            let error = try await connecting.failure(configuration, timeout: .seconds(1))
            let isText = answer.utf8.last == UInt8(ascii: "\n")
            #expect(error.code == (isText ? .protocolViolation : .unreachable), "\(error.code): \(error)")
            #expect(error.message.contains("TLS"), "\(error)")
            #expect(!error.message.contains(".build"), "\(error)")
        }
        #expect(received.current.first == 0x16, "a handshake")
        #expect(received.current.firstRange(of: bytes(secret)) == nil)
        #expect(received.current.firstRange(of: bytes("AUTH")) == nil)
    }
}
