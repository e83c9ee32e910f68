// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The table `[limits]`.
extension JobDecoder {
    func decodeLimits(_ reader: inout TableReader, _ limits: inout ResourceLimits) {
        for resource in ResourceLimits.Rlimit.allCases {
            guard let node = reader.value(resource.key) else { continue }
            limits.rlimits[resource] = rlimit(resource, node, reader)
        }
        if let node = reader.value("memory_max") {
            limits.memoryMax = size(node, reader, atLeast: 1 << 20)
            onlySystemd(node, reader)
        }
        if let (number, node) = reader.integer("cpu_weight") {
            if !(1...10_000).contains(number) { reader.reject(node, "\(number) is no weight; wanted 1 to 10000") }
            limits.cpuWeight = UInt64(clamping: number)
            onlySystemd(node, reader)
        }
        if let (number, node) = reader.integer("tasks_max") {
            if !(1...4_194_304).contains(number) {
                reader.reject(node, "\(number) tasks cannot be; wanted 1 to 4194304")
            }
            limits.tasksMax = UInt64(clamping: number)
            onlySystemd(node, reader)
        }
    }

    /// What needs a cgroup with controllers, or namespaces, which batond itself makes none of.
    func onlySystemd(_ node: ConfigNode, _ reader: TableReader) {
        guard launcher == .direct else { return }
        reader.reject(
            node, "needs node.launcher = \"systemd\" (from the start of batond on): \"direct\" can set rlimits only")
    }

    private func rlimit(_ resource: ResourceLimits.Rlimit, _ node: ConfigNode, _ reader: TableReader) -> UInt64? {
        if case .string("infinity") = node.value, resource != .nofile { return ResourceLimits.infinity }
        switch resource {
        case .nofile:
            // The kernel refuses more than fs.nr_open; below this a program can hardly load its libraries.
            return count(node, reader, in: 16...1_073_741_816, of: "open files")
        case .nproc: return count(node, reader, in: 1...4_194_304, of: "processes")
        case .cpu: return seconds(node, reader)
        case .fsize, .core: return size(node, reader, atLeast: 0)
        case .data, .stack, .memlock, .as: return size(node, reader, atLeast: resource == .memlock ? 0 : 65_536)
        }
    }

    private func count(
        _ node: ConfigNode, _ reader: TableReader, in range: ClosedRange<Int64>, of what: String
    ) -> UInt64? {
        guard case .integer(let number) = node.value else {
            reader.reject(node, "is \(node.found); wanted an integer")
            return nil
        }
        if range.contains(number) { return UInt64(number) }
        reader.reject(node, "\(number) \(what) cannot be; wanted \(range.lowerBound) to \(range.upperBound)")
        return nil
    }

    private func size(_ node: ConfigNode, _ reader: TableReader, atLeast least: UInt64) -> UInt64? {
        var bytes: UInt64?
        switch node.value {
        case .integer(let number): bytes = UInt64(exactly: number)
        case .string(let text): bytes = SizeText.parse(text)
        default: break
        }
        guard let bytes else {
            reader.reject(node, "is \(node.found); wanted a size, in bytes or as \"512M\" (K M G T)")
            return nil
        }
        if bytes >= least { return bytes }
        reader.reject(node, "\(bytes) bytes are too few: it must be at least \(least)")
        return nil
    }

    /// Time on a processor; the kernel counts whole seconds.
    private func seconds(_ node: ConfigNode, _ reader: TableReader) -> UInt64? {
        guard case .string(let text) = node.value else {
            reader.reject(node, "is \(node.found); wanted a duration in quotes, such as \"10m\"")
            return nil
        }
        do {
            let duration = try DurationText.parse(text)
            if duration >= .seconds(1) { return UInt64(duration.components.seconds) }
            reader.reject(node, "\(text) is too short: it must be at least 1s")
        } catch {
            reader.reject(node, error.reason)
        }
        return nil
    }
}
