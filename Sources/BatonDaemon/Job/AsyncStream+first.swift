// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension AsyncStream where Element: Sendable {
    /// What `pick` makes of the first element that it makes something of; nil: none came in time, or the stream ended.
    func first<Value: Sendable>(
        within limit: Duration, _ pick: @escaping @Sendable (Element) -> Value?
    ) async -> Value? {
        await withTaskGroup(of: Value?.self) { group in
            group.addTask {
                for await element in self { if let value = pick(element) { return value } }
                return nil
            }
            group.addTask {
                try? await Task.sleep(for: limit)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
