// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import CLinux
import Glibc

/// The workload's `NOTIFY_SOCKET`, where it says how it is. Only its own user, and root, can send to it.
struct NoticeSocket {
    /// −1: the workload does not speak, or the socket could not be made.
    let descriptor: Int32
    private let isWanted: Bool

    init(for spec: LaunchSpec) {
        isWanted = spec.notify
        guard isWanted else {
            descriptor = -1
            return
        }
        unlink(RunFile.notify)
        descriptor = clinux_unix_listen(AT_FDCWD, RunFile.notify, Int32(SOCK_DGRAM.rawValue), 0o600)
        if let identity = spec.identity { chown(RunFile.notify, identity.uid, identity.gid) }
    }

    var isMissing: Bool { isWanted && descriptor < 0 }

    /// What has come, without waiting; a bound, so that a workload that never stops talking does not keep the keeper from
    /// its deadline. Descriptors that come with it are closed by the kernel, which is what a barrier waits for.
    func receive() -> [WorkloadNotice] {
        var notices: [WorkloadNotice] = []
        withUnsafeTemporaryAllocation(byteCount: WorkloadNotice.longest, alignment: 1) { buffer in
            for _ in 0..<16 {
                let count = clinux_receive(descriptor, buffer.baseAddress, buffer.count)
                if count > 0 {
                    notices.append(WorkloadNotice(decoding: buffer[..<count]))
                } else if count != 0 && count != -Int(EMSGSIZE) && count != -Int(EINTR) {
                    break
                }
            }
        }
        return notices
    }
}
