// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// `baton-keeper RUN_DIRECTORY`, started by batond with their connection as descriptor 3; or
/// `baton-keeper --unit RUN_DIRECTORY`, started by systemd with the connection as its standard input.
///
/// It becomes two processes: the guard, which forks the keeper, which forks the workload. Each kills the whole run when
/// the other dies. One thread each, no runtime but Swift's own, nothing that waits for anything but `poll`.
@main
enum KeeperProgram {
    static func main() {
        switch CommandLine.arguments.dropFirst().first {
        case "--version":
            print("baton-keeper \(BatonVersion.current)")
        case "--probe":
            print("realtime \(clinux_become_realtime() == 0 ? "yes" : "no")")
        case "--unit" where CommandLine.arguments.count == 3:
            dup2(STDIN_FILENO, connection)
            run(in: CommandLine.arguments[2])
        case .some(let directory) where !directory.hasPrefix("-") && CommandLine.arguments.count == 2:
            run(in: directory)
        case _:
            complain("usage: baton-keeper [--unit] RUN_DIRECTORY | --probe | --version")
        }
    }

    private static func run(in directory: String) -> Never {
        // Already now, and for the twin that is forked below: the lock is held, and on a busy machine each process waits
        // for its first turn. Both make it final, not inherited any more, before there is a workload.
        _ = clinux_start_realtime()
        if fcntl(connection, F_SETFD, FD_CLOEXEC) < 0 || chdir(directory) != 0 {
            complain("baton-keeper: no connection as descriptor 3, or no such directory")
        }
        let common: RunContext
        do throws(StartFailure) {
            common = try RunContext()
        } catch {
            // Nobody is told but by the status: the connection's end says the rest.
            RunStatus.write(RunEnd(reason: .startFailed(step: error.step, errno: error.errno), at: BootClock.now()))
            exit(1)
        }
        switch clinux_fork() {
        case 0: Keeper(common, connection: connection).run()
        case let keeper where keeper > 0:
            close(connection)
            Guardian(common, keeper: keeper).run()
        case let error:
            RunStatus.write(RunEnd(reason: .startFailed(step: .resources, errno: -error), at: BootClock.now()))
            exit(1)
        }
    }

    private static func complain(_ text: String) -> Never {
        let line = text + "\n"
        write(STDERR_FILENO, line, line.utf8.count)
        exit(EX_USAGE)
    }

    private static let connection: Int32 = 3
}
