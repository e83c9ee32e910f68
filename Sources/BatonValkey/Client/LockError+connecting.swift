// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension LockError {
    /// What a failure of the socket, of name resolution, or of TLS means.
    init(connecting error: any Error, to peer: String) {
        switch error {
        case let error as LockError:
            self = error
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            self.init(.notPermitted, "the certificate of \(peer) is for another name: \(printable("\(error)"))")
        case let error as NIOSSLError:
            self.init(tls: "\(error)", peer: peer)
        case let error as BoringSSLError:
            self.init(tls: "\(error)", peer: peer)
        case ChannelError.connectTimeout:
            self.init(.unreachable, "\(peer) did not accept a connection in time")
        case ChannelPipelineError.notFound:  // closed before we could look at it
            self.init(.unreachable, "\(peer) closed the connection")
        case let error as NIOConnectionError:
            let reason = error.connectionErrors.first?.error ?? error.dnsAError ?? error.dnsAAAAError
            self.init(.unreachable, "\(peer): \(reason.map(Self.words) ?? "no address")")
        default:
            self.init(.unreachable, "\(peer): \(Self.words(error))")
        }
    }

    /// What an error of NIO's says to an operator: the kernel's or the resolver's own words.
    private static func words(_ error: any Error) -> String {
        switch error {
        case let error as IOError: strerror(error.errnoCode).map { String(cString: $0) } ?? "error \(error.errnoCode)"
        case let error as SocketAddressError.UnknownHost: printable(error.errorDescription)
        default: printable("\(error)")
        }
    }

    private init(tls reason: String, peer: String) {
        let reason = printable(reason)
        if reason.contains("CERTIFICATE_VERIFY_FAILED") {
            // The library does not say which of these it was.
            self.init(
                .notPermitted,
                "the certificate of \(peer) is not trusted: its authority is unknown, or it is not valid at this time")
        } else if reason.contains("WRONG_VERSION_NUMBER") || reason.contains("HTTP_REQUEST") {
            self.init(.protocolViolation, "\(peer) does not speak TLS")
        } else if reason.contains("uncleanShutdown") {
            self.init(.unreachable, "\(peer) closed the connection")
        } else {
            self.init(.unreachable, "TLS with \(peer) failed: \(reason)")
        }
    }

    /// What the failure of a connection that had been of use means for the requests that come after: whatever it was, the
    /// next connection shows whether it lasts.
    var whileInUse: LockError { LockError(.unreachable, message) }

    /// Whether trying again is no use until somebody changes something: requests do not wait for it.
    var isLasting: Bool { [.notPermitted, .protocolViolation, .invalidArgument].contains(code) }
}
