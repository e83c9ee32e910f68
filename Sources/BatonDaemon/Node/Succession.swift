// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import NIOPosix
import Synchronization

/// The program on the disk is to take this one's place, in the same process: an upgrade that no workload notices.
final class Succession: Sendable {
    private let image: ProgramImage
    private let lastWords: @Sendable () -> Void
    private let begun = Doorbell()
    private let isWanted = Mutex(false)
    private let toStop = Mutex(false)

    /// How long the check may take.
    private static let patience = Duration.seconds(10)

    init(_ image: ProgramImage, lastWords: @escaping @Sendable () -> Void) {
        self.image = image
        self.lastWords = lastWords
    }

    /// Has the program on the disk check the files that it would start with: nobody wants to find out afterwards.
    func prepare() async throws(ControlError) {
        let complaint: String?
        do {
            complaint = try await NIOThreadPool.singleton.runIfActive { try self.complaint() }
        } catch {
            throw .failed("\(image.path) can't be run: \(error)")
        }
        if let complaint { throw .failed("nothing was done: \(image.path) would not start: \(complaint)") }
    }

    /// From now on ``isDue()`` returns.
    func begin() {
        isWanted.withLock { $0 = true }
        begun.ring()
    }

    /// The node is to be stopped, by the program that follows.
    func stopAfterwards() { toStop.withLock { $0 = true } }

    /// Waits until this program is to make place; false when the task is cancelled first.
    func isDue() async -> Bool {
        while !Task.isCancelled, !isWanted.withLock({ $0 }) { await begun.wait(until: .distantFuture) }
        return isWanted.withLock { $0 }
    }

    /// Begins the program on the disk; returns only when that is not possible, with the reason.
    func makePlace() -> SystemError {
        lastWords()
        return image.begin(isToStop: toStop.withLock { $0 })
    }

    /// What a check by the program on the disk finds; nil: nothing.
    private func complaint() throws -> String? {
        let (code, output) = try ProgramCheck.run(image.path, image.arguments + ["--check"], within: Self.patience)
        if code == 0 { return nil }
        let said = PrintableText.escaped(String(output.reversed().drop { $0.isNewline }.reversed()))
        return said.isEmpty ? "its check of the files failed, or took longer than \(Self.patience)" : said
    }
}
