// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonSimulation
import Glibc

do {
    exit(try Options(CommandLine.arguments.dropFirst()).run() ? 0 : 1)
} catch {
    print("baton-simulate: \(error.text)\n\n\(Options.usage)")
    exit(64)
}
