// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Values that occurrences point at by number; freed places are used again, the last one first.
struct Slots<Value> {
    fileprivate var places: [Value?] = []
    private var free: [Int32] = []

    /// How many are in use.
    var count: Int { places.count - free.count }

    mutating func add(_ value: Value) -> Int32 {
        if let place = free.popLast() {
            places[Int(place)] = value
            return place
        }
        places.append(value)
        return Int32(places.count - 1)
    }

    mutating func take(_ place: Int32) -> Value? {
        guard let value = places[Int(place)] else { return nil }
        places[Int(place)] = nil
        free.append(place)
        return value
    }

    subscript(_ place: Int32) -> Value? {
        get { places[Int(place)] }
        _modify { yield &places[Int(place)] }
    }

    /// Those in use.
    var all: [Value] { places.compactMap { $0 } }
}

extension Slots {
    /// Those in use, with their numbers.
    var entries: [(Int32, Value)] {
        places.indices.compactMap { index in places[index].map { (Int32(index), $0) } }
    }
}
