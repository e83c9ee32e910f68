// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

@testable import BatonValkey

extension FaultProxy {
    /// The next look at a lock is answered as by a server whose clock went ahead by so much. It shows a free lock.
    func answerNextLook(in duration: Duration, _ server: TestServer) throws {
        let time = "\(try server.time() + duration.nanoseconds / 1000)"
        strike(
            WireStep(command: "EVALSHA", containing: Script.look.digest),
            .replyReplaced(Array("*4\r\n$4\r\nseen\r\n$\(time.utf8.count)\r\n\(time)\r\n$-1\r\n:-2\r\n".utf8)))
    }
}
