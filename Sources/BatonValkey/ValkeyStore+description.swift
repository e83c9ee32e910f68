// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension ValkeyStore: CustomStringConvertible, CustomReflectable {
    /// The server's address, without the password.
    public var description: String { configuration.description }

    /// Nothing but the description, for `dump` and the like: what is on its way to the server has the password in it.
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}
