// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import Foundation

extension Process {
    /// Starts it with these files as its streams, and closes them here. A `Process` may outlive its end by far, with all
    /// that it holds: the run loop of the thread that started it keeps it.
    package func run(readingFrom input: FileHandle = .nullDevice, output: FileHandle, errors: FileHandle) throws {
        (standardInput, standardOutput, standardError) = (input, output, errors)
        defer {
            for file in [input, output, errors] where file !== FileHandle.nullDevice { try? file.close() }
            (standardInput, standardOutput, standardError) = (nil, nil, nil)
        }
        try run()
    }
}
