// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc

/// The target that `BATON_FUZZ_TARGET` names.
private let target: FuzzTarget = {
    let name = getenv("BATON_FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: " ")
        fatalError("BATON_FUZZ_TARGET is '\(name)'; wanted one of: \(names)")
    }
    return target
}()

/// What libFuzzer's main calls, again and again. Whatever ends the process is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    do {
        try target.run(Bytes(UnsafeBufferPointer(start: start, count: count)))
    } catch {
        fatalError("\(error)")
    }
    return 0
}
