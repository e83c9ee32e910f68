// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import NIOPosix

/// Who starts the keeper of a run, and in what. Everything else of a run is the same with every launcher: see `Runs`.
///
/// All of it may block, and is called on a thread of `threads`.
protocol Launcher: Sendable {
    var threads: NIOThreadPool { get }

    /// Writes into the spec what the run will be in, and makes what has to be there before the keeper.
    func prepare(_ spec: inout LaunchSpec) throws

    /// Starts the keeper of a run whose folder is complete. The keeper starts nothing before it is told to go.
    ///
    /// - Throws: what the user should read in `status`. Then a keeper that comes up all the same exits by itself: its
    ///   connection has ended.
    func start(_ spec: LaunchSpec, of job: JobDefinition, in directory: RunDirectory) throws -> KeeperLink

    /// Kills keeper and guard with whatever else is where the run is, once: for a run whose keeper does not say that
    /// nothing is left.
    ///
    /// - Returns: whether nobody is there any more. If not, ask again.
    func end(_ spec: LaunchSpec) -> Bool

    /// The run was given up before it was told to go: it is not to be started any more, should that still go on.
    func withdraw(_ spec: LaunchSpec)
}
