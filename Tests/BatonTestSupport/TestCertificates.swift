// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A certificate authority and a server certificate for `localhost`, made once per test process.
struct TestCertificates: Sendable {
    static let shared = TestCertificates()

    let folder: String
    var ca: String { folder + "/ca.pem" }
    var key: String { folder + "/server.key" }
    var certificate: String { folder + "/server.pem" }
    /// Certificates that are not to be trusted, each with its key: `NAME.pem` and `NAME.key`.
    static let untrustworthy = ["expired", "elsewhere", "selfsigned"]

    /// An authority that signed nothing here.
    var strangerCA: String { folder + "/stranger.pem" }

    private init() {
        folder = NSTemporaryDirectory() + "baton-certificates-\(getpid())"
        let script = """
            set -eu
            mkdir -p "$1"; cd "$1"
            new="openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -batch"
            for name in ca stranger; do
                $new -x509 -days 2 -subj "/CN=$name" -keyout $name.key -out $name.pem
            done
            signed() { # NAME HOST DAYS
                $new -subj "/CN=$2" -keyout $1.key -out $1.csr
                echo "subjectAltName=DNS:$2" > names
                openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $3 -extfile names -out $1.pem
            }
            signed server localhost 2
            signed expired localhost -1
            signed elsewhere elsewhere.example 2
            $new -x509 -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                -keyout selfsigned.key -out selfsigned.pem
            """
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/bin/sh")
        openssl.arguments = ["-c", script, "sh", folder]
        openssl.standardError = FileHandle.nullDevice
        do {
            try openssl.run()
            openssl.waitUntilExit()
        } catch {
            fatalError("openssl: \(error)")
        }
        precondition(openssl.terminationStatus == 0, "openssl could not make the certificates")
        atexit {
            try? FileManager.default.removeItem(atPath: NSTemporaryDirectory() + "baton-certificates-\(getpid())")
        }
    }
}
