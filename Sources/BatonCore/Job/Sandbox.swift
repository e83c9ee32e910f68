// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a workload sees of its machine, and may do to it: the table `[sandbox]`. Each key has the name, the values and
/// the meaning of a directive of systemd's.
package struct Sandbox: Equatable, Sendable {
    /// `"full"`, `"strict"` or true.
    package var protectSystem: String?
    /// `"read-only"`, `"tmpfs"` or true.
    package var protectHome: String?
    /// The directives that are on.
    package var flags: Set<Flag>
    /// Absolute paths; one that begins with `-` need not exist.
    package var readWritePaths: [String]
    package var readOnlyPaths: [String]
    package var inaccessiblePaths: [String]
    /// The capabilities that the workload may have or get, as bits; nil: all. The keeper is not bound by it.
    package var capabilities: UInt64?

    /// Nothing is kept from the workload.
    package init() {
        flags = []
        readWritePaths = []
        readOnlyPaths = []
        inaccessiblePaths = []
    }

    /// A directive that is on or off. Only such as leave the keeper, which is inside as well, able to do its work.
    package enum Flag: String, CaseIterable, Sendable {
        case privateTmp = "private_tmp"
        case privateDevices = "private_devices"
        case privateNetwork = "private_network"
        case protectKernelTunables = "protect_kernel_tunables"
        case protectKernelModules = "protect_kernel_modules"
        case protectKernelLogs = "protect_kernel_logs"
        case protectHostname = "protect_hostname"
        case noNewPrivileges = "no_new_privileges"
        case restrictSUIDSGID = "restrict_suid_sgid"
        case lockPersonality = "lock_personality"
        case memoryDenyWriteExecute = "memory_deny_write_execute"

        /// systemd's name of it.
        package var directive: String {
            switch self {
            case .privateTmp: "PrivateTmp"
            case .privateDevices: "PrivateDevices"
            case .privateNetwork: "PrivateNetwork"
            case .protectKernelTunables: "ProtectKernelTunables"
            case .protectKernelModules: "ProtectKernelModules"
            case .protectKernelLogs: "ProtectKernelLogs"
            case .protectHostname: "ProtectHostname"
            case .noNewPrivileges: "NoNewPrivileges"
            case .restrictSUIDSGID: "RestrictSUIDSGID"
            case .lockPersonality: "LockPersonality"
            case .memoryDenyWriteExecute: "MemoryDenyWriteExecute"
            }
        }
    }
}

/// The capabilities of Linux, by their names.
package enum Capability {
    /// In the order of their numbers.
    package static let names = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
    ]

    /// The bit of a capability; nil: there is none of that name.
    package static func bit(of name: String) -> UInt64? {
        names.firstIndex(of: name).map { UInt64(1) << UInt64($0) }
    }
}
