// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

#if DEBUG
import Glibc

/// For tests, and in no release: a loop that hangs while all others go on.
///
/// `BATON_TEST_WEDGE` is the path of a file. When it is there and holds a job's name, the loop of that job removes it and
/// does nothing from then on.
enum Wedge {
    private static let path = getenv("BATON_TEST_WEDGE").map { String(cString: $0) }

    /// Returns at once, or never.
    static func holdUp(_ job: String) async {
        guard let path, let file = fopen(path, "r") else { return }
        var line = [CChar](repeating: 0, count: 128)
        let read = fread(&line, 1, line.count - 1, file)
        fclose(file)
        let name = String(decoding: line.prefix(read).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard name == job, unlink(path) == 0 else { return }
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
    }
}
#endif
