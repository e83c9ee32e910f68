// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension CronExpression {
    /// Far more than any list of values needs.
    private static let longest = 1000

    private static let nicknames = [
        "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
    ]

    /// Reads an expression.
    ///
    /// - Parameter job: the job's name, which `H` is made of.
    package init(_ text: String, job: String) throws(CronError) {
        func fail(_ reason: String) -> CronError {
            CronError(field: nil, text: String(text.prefix(60)), reason: reason)
        }
        if text.utf8.count > Self.longest { throw fail("… is longer than \(Self.longest) bytes") }
        var words = text.split { $0 == " " || $0 == "\t" }
        if let first = words.first, first.hasPrefix("@") {
            guard words.count == 1, let fields = Self.nicknames[first.lowercased()] else {
                if first.lowercased() == "@every" { throw fail("is no cron expression; every = \"10m\" says that") }
                throw fail("is none of \(Self.nicknames.keys.sorted().joined(separator: " "))")
            }
            words = fields.split(separator: " ")
        }
        guard words.count == 5 || words.count == 6 else {
            let counted = words.count == 1 ? "1 field" : "\(words.count) fields"
            throw fail(
                "has \(counted); wanted 5 (minute hour day-of-month month day-of-week), or 6 with the second first")
        }
        if words.count == 5 { words.insert("0", at: 0) }

        var sets: [NumberSet] = []
        for (field, word) in zip(CronField.allCases, words) {
            sets.append(try CronFieldReader(field: field, job: job).read(word))
        }
        self.text = text
        (seconds, minutes, hours, days, months, weekdays) = (sets[0], sets[1], sets[2], sets[3], sets[4], sets[5])
        needsBothDays = words[3].hasPrefix("*") || words[5].hasPrefix("*")
        repeatsThroughTheDay = words[2].hasPrefix("*") || words[2].uppercased().hasPrefix("H/")

        // Each date is each day of the week in some year: only a day that its months don't have never comes.
        let longestMonth = (1...12).filter(months.contains).map { CivilDate.length(ofMonth: $0, in: 2000) }.max() ?? 0
        if needsBothDays, (days.first(from: 0) ?? 0) > longestMonth {
            throw CronError(
                field: .dayOfMonth, text: String(words[3]),
                reason: "never comes: month '\(words[4])' has at most \(longestMonth) days")
        }
    }
}

/// Reads one field.
private struct CronFieldReader {
    let field: CronField
    let job: String

    func read(_ text: Substring) throws(CronError) -> NumberSet {
        var result = NumberSet()
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            if item.isEmpty { throw fail(text, "has an empty item in its list; wanted \(field.allowed)") }
            result = result | NumberSet(try values(of: item))
        }
        return result
    }

    /// `BASE` or `BASE/STEP`.
    private func values(of item: Substring) throws(CronError) -> [Int] {
        let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let step = parts.count == 2 ? try self.step(parts[1], of: item) : nil
        let base = parts[0]
        if base.first == "H" || base.first == "h" {
            let (first, span) = try hashedRange(base.dropFirst(), of: item)
            // Without a step, one of all of them; with one, the first is one of those before the second.
            let choices = min(step ?? .max, span + 1)
            let chosen = StableHash.number(of: "\(job) \(field.rawValue)", below: choices)
            return through(first, span, from: chosen, by: step ?? span + 1)
        }
        if base == "*" { return through(field.range.lowerBound, field.range.count - 1, by: step ?? 1) }
        let bounds = base.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let first = try value(bounds[0], of: item)
        if bounds.count == 2 { return through(first, span(first, try value(bounds[1], of: item)), by: step ?? 1) }
        guard let step else { return through(first, 0, by: 1) }
        return through(first, (field.range.upperBound - first).divided(by: field.range.count).remainder, by: step)
    }

    /// What stands behind an `H`: nothing, or `(FIRST-LAST)`.
    private func hashedRange(_ text: Substring, of item: Substring) throws(CronError) -> (first: Int, span: Int) {
        if text.isEmpty { return (field.hashed.lowerBound, field.hashed.count - 1) }
        let bounds = text.dropFirst().dropLast().split(separator: "-", omittingEmptySubsequences: false)
        guard text.first == "(", text.last == ")", bounds.count == 2 else {
            throw fail(item, "is no hash; wanted H, H/STEP, H(FIRST-LAST) or H(FIRST-LAST)/STEP, with \(field.allowed)")
        }
        let first = try value(bounds[0], of: item)
        return (first, span(first, try value(bounds[1], of: item)))
    }

    /// How far it is from one value to another, past the end of the field if need be.
    private func span(_ first: Int, _ last: Int) -> Int {
        last >= first ? last - first : last - first + field.range.count
    }

    /// `first` and the `span` values after it, of those every `step`th; past the end of the field from its beginning.
    private func through(_ first: Int, _ span: Int, from offset: Int = 0, by step: Int) -> [Int] {
        let lowest = field.range.lowerBound
        return stride(from: offset, through: span, by: step).map { (first - lowest + $0) % field.range.count + lowest }
    }

    private func value(_ text: Substring, of item: Substring) throws(CronError) -> Int {
        if let index = field.names.firstIndex(of: text.uppercased()) { return field.range.lowerBound + index }
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            let letters = text.filter { !$0.isNumber }.uppercased()
            let isQuartz = ["?", "L", "W", "LW"].contains(letters) || letters.contains("#")
            let problem = isQuartz ? "is Quartz's and not supported" : "is no value"
            throw fail(item, "\(problem); wanted \(field.allowed), with * - / , H")
        }
        guard let number = Int(text), (field.range.lowerBound...field.largest).contains(number) else {
            throw fail(item, "cannot be; wanted \(field.allowed)")
        }
        return number
    }

    private func step(_ text: Substring, of item: Substring) throws(CronError) -> Int {
        let isNumber = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isNumber, let number = Int(text), (1...field.range.count).contains(number) else {
            throw fail(item, "has no step that fits behind its /; wanted 1 to \(field.range.count)")
        }
        return number
    }

    private func fail(_ text: Substring, _ reason: String) -> CronError {
        CronError(field: field, text: String(text.prefix(60)), reason: reason)
    }
}
