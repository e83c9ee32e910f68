// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Signals by name, with or without `SIG`, or by number.
package enum SignalName {
    private static let numbers: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "ILL": SIGILL, "TRAP": SIGTRAP, "ABRT": SIGABRT,
        "BUS": SIGBUS, "FPE": SIGFPE, "KILL": SIGKILL, "USR1": SIGUSR1, "SEGV": SIGSEGV, "USR2": SIGUSR2,
        "PIPE": SIGPIPE, "ALRM": SIGALRM, "TERM": SIGTERM, "CHLD": SIGCHLD, "CONT": SIGCONT, "STOP": SIGSTOP,
        "TSTP": SIGTSTP, "TTIN": SIGTTIN, "TTOU": SIGTTOU, "URG": SIGURG, "XCPU": SIGXCPU, "XFSZ": SIGXFSZ,
        "VTALRM": SIGVTALRM, "PROF": SIGPROF, "WINCH": SIGWINCH, "IO": SIGIO, "PWR": SIGPWR, "SYS": SIGSYS,
    ]
    private static let firstRealTime: Int32 = 34
    private static let last: Int32 = 64

    /// The number of a signal; nil when there is no such signal.
    package static func number(_ text: String) -> Int32? {
        if let number = Int32(text) { return (1...last).contains(number) ? number : nil }
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        if let number = numbers[name] { return number }
        guard name.hasPrefix("RTMIN") else { return nil }
        let offset = name.dropFirst(5)
        if offset.isEmpty { return firstRealTime }
        guard offset.first == "+", let added = Int32(offset.dropFirst()), (0...(last - firstRealTime)).contains(added)
        else { return nil }
        return firstRealTime + added
    }
}
