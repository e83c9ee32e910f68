// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Where options may stand.
package enum ArgumentOrder {
    /// Options that every command has may stand before it, as one is used to from systemctl and git; the commands
    /// themselves look for them behind.
    package static func sharedOptionsLast(_ arguments: [String]) -> [String] {
        var shared: [String] = []
        var rest = arguments[...]
        while let first = rest.first {
            if first == "--socket", rest.count > 1 {
                shared += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else if first == "--json" || first.hasPrefix("--socket=") {
                shared.append(first)
                rest = rest.dropFirst()
            } else {
                break
            }
        }
        guard let command = rest.first else { return arguments }
        return [command] + shared + rest.dropFirst()
    }
}
