// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

@testable import BatonTestSupport

/// What happens to the line between a machine and the switch.
extension Stage {
    func spoil(_ index: Int, _ fault: FaultPlan.Fault) async throws {
        if let cut = fault.kind.cut { return try await network.cut(names[index], cut) }
        let some = fault.choice % 100
        let options: [String]
        switch fault.kind {
        case .lineLoses: options = ["--loss", "\(10 + some / 2)"]
        case .lineDelays: options = ["--delay", "\(some * 3)", "--jitter", "\(20 + some)"]
        case .lineDuplicates: options = ["--duplicate", "60", "--jitter", "40"]
        case .lineStutters: options = ["--stutter", "\(100 + some * 10)"]
        default: preconditionFailure("\(fault.kind) does not happen to a line")
        }
        try await network.spoilLine(of: names[index], options)
    }

    func mend(_ index: Int, _ fault: FaultPlan.Fault) async throws {
        if let cut = fault.kind.cut { return try await network.mend(names[index], cut) }
        try await network.repairLine(of: names[index])
    }
}

extension FaultKind {
    /// What is cut, if it is a cut.
    fileprivate var cut: Network.Cut? {
        switch self {
        case .cableCut: .cable
        case .switchingCut: .switching
        case .repliesCut: .replies
        case .requestsCut: .requests
        case .routeCut: .route
        default: nil
        }
    }
}
