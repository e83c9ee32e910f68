// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import BatonUsers
import Glibc
package import Logging

extension ControlAccess {
    /// Who may do what on this node's socket.
    ///
    /// Group `baton` is looked up once, now. It belongs to the system's batond: who runs one as himself did not ask for
    /// its members to look.
    package init(operators: Group?, logger: Logger) {
        self.init(daemonUser: geteuid(), operators: operators)
        guard geteuid() == 0 else { return }
        do throws(UserLookupError) {
            viewers = Group(name: "baton", id: try UserDatabase.group("baton"))
        } catch .unknown {
            logger.debug("there is no group baton: nobody may look but who may act")
        } catch {
            logger.warning("nobody may look but who may act", metadata: ["reason": "\(error)"])
        }
    }
}
