// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
public import BatonLock

extension ValkeyStore {
    /// How a server is reached. The seed has it as arguments of its client's constructor.
    public struct Configuration: Sendable {
        /// Where the server listens.
        public enum Address: Sendable, Equatable {
            /// A host name or address, and a port.
            case tcp(host: String, port: Int)
            /// A Unix socket.
            case unixSocket(path: String)
        }

        /// Where the server listens.
        public var address: Address
        /// Whether to speak TLS; default false. The certificate and the host name in it are verified, always. Over a
        /// Unix socket it means nothing. The client's `ssl`.
        public var tls = false
        /// The path of a PEM file of certificate authorities, instead of the system's; nil, the default: the system's.
        /// One that cannot be used fails every request with `invalidArgument`. The client's `ssl_ca_certs`.
        public var caFile: String?
        /// The ACL user; nil, the default: the server's default user. It is sent only with a password. The client's
        /// `username`.
        public var username: String?
        /// The password; nil, the default: none is sent. It is in no description, log line, or error. The client's
        /// `password`.
        public var password: String? {
            get { secret?.value }
            set { secret = newValue.map { Secret($0) } }
        }
        /// The database number, from 0, the default. The client's `db`.
        public var database = 0
        /// How long connecting may take, greeting included; default 2 s. The client's `socket_connect_timeout`.
        public var connectTimeout = Duration.seconds(2)
        /// How long a server that owes an answer, also to a subscription, is trusted to be alive; default 1 s. A request
        /// has a timeout of its own. The client's `socket_timeout`.
        public var requestTimeout = Duration.seconds(1)
        /// How many replicas must confirm each grant and renewal (`WAIT`) before it counts: all that may be promoted; 0,
        /// the default: none. With fewer than all, or none, a server that fails over may forget a lock that it granted.
        /// The seed has nothing like it.
        public var replicas = 0
        /// The longest pause between two attempts to connect; default 1 s. Pauses begin short, double, and are
        /// shortened at random by up to half.
        public var maxReconnectDelay = Duration.seconds(1)

        private var secret: Secret?

        /// A server at `address`, everything else at its default: no TLS, no user, database 0. Nothing is checked here.
        public init(address: Address) { self.address = address }

        /// The server of a URL: `valkey://`, `valkeys://` (TLS), `redis://`, `rediss://` or `unix://PATH`.
        ///
        /// `valkey://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`; `unix://PATH[?db=DATABASE]`. The port is 6379 unless it
        /// is said, the database 0. User, password, host and path may be percent-encoded. What a URL cannot say
        /// (`caFile`, the timeouts) is set afterwards.
        ///
        /// - Throws: `LockError` with code `invalidArgument`, which does not quote the URL.
        public init(url: String) throws(LockError) { self = try ValkeyURL(url).configuration }

        /// The server of a node's settings; nil when they name another kind of store.
        package init?(_ settings: StoreSettings) {
            switch settings.location {
            case .tcp(let host, let port, let tls):
                address = .tcp(host: host, port: port)
                self.tls = tls
            case .unixSocket(let path): address = .unixSocket(path: path)
            case .sqlite: return nil
            }
            caFile = settings.caFile
            username = settings.username
            secret = settings.password
            database = settings.database
            connectTimeout = settings.connectTimeout
            requestTimeout = settings.requestTimeout
            replicas = settings.replicas
        }
    }
}

extension ValkeyStore.Configuration: CustomStringConvertible, CustomReflectable {
    /// The address without the password.
    public var description: String {
        switch address {
        case .tcp: "\(tls ? "valkeys" : "valkey")://\(peer)/\(database)"
        case .unixSocket(let path): "unix://\(path)"
        }
    }

    /// Nothing but the description, for `dump` and the like.
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }

    /// Keeps the password out of what the server says.
    var redacted: Redaction { Redaction(password.map { Secret($0) }) }

    /// The server's address, as messages name it.
    var peer: String {
        switch address {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unixSocket(let path): path
        }
    }
}
