// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import GRDB
import GRDBSQLite

/// SQLite's own calls, on the connection that GRDB opened and the statements that it keeps.
///
/// GRDB's way to run a statement looks after observers, which we have none of, and boxes and copies each value; that took
/// longer than the statements.
extension Database {
    /// How a transaction begins.
    enum Beginning: String {
        /// Reads what is committed by now; takes the file's lock for its first write, or fails at once.
        case deferred = "BEGIN DEFERRED"
        /// Waits for the file's lock.
        case immediate = "BEGIN IMMEDIATE"
    }

    /// Runs `body` in a transaction, which is rolled back when it throws.
    func transact(_ beginning: Beginning, _ body: (Database) throws -> Void) throws {
        try run(beginning.rawValue)
        do {
            // From here on time may be read: what is waited for was waited for. (A deferred one begins with this.)
            if beginning == .deferred { try run("SELECT 1 FROM lock LIMIT 0") }
            try body(self)
            try run("COMMIT")
        } catch {
            // Some errors have done so already; it does not fail otherwise.
            if isInsideTransaction { try? run("ROLLBACK") }
            throw error
        }
    }

    /// Runs a statement that gives no rows, or whose rows are not wanted.
    func run<each Value: Bindable>(_ sql: String, _ values: repeat each Value) throws {
        try step(sql, repeat each values) { _ in false }
    }

    /// The first row, read by `read`; nil when there is none.
    func first<Result, each Value: Bindable>(
        _ sql: String, _ values: repeat each Value, read: (Columns) -> Result
    ) throws -> Result? {
        var result: Result?
        try step(sql, repeat each values) { columns in
            result = read(columns)
            return false
        }
        return result
    }

    /// Shows each row to `read`.
    func each<each Value: Bindable>(
        _ sql: String, _ values: repeat each Value, read: (Columns) -> Void
    ) throws {
        try step(sql, repeat each values) { columns in
            read(columns)
            return true
        }
    }

    /// Steps until there are no more rows, or none is wanted any more.
    private func step<each Value: Bindable>(
        _ sql: String, _ values: repeat each Value, wantsMore: (Columns) -> Bool
    ) throws {
        let statement = try cachedStatement(sql: sql).sqliteStatement
        // Whatever happens: one that is under way keeps its transaction from ending. Its error was told before.
        defer { sqlite3_reset(statement) }
        var index: Int32 = 0
        for value in repeat each values {
            index += 1
            try succeeded(value.bind(to: statement, at: index))
        }
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { return try succeeded(code) }
            if !wantsMore(Columns(statement: statement)) { return }
        }
    }

    /// Runs a statement that must be compiled each time.
    func execute(pragma: String) throws {
        try succeeded(sqlite3_exec(sqliteConnection, pragma, nil, nil, nil))
    }

    private func succeeded(_ code: Int32) throws {
        if code != SQLITE_OK { throw DatabaseError(resultCode: ResultCode(rawValue: code), message: lastErrorMessage) }
    }
}

/// The columns of a row, by their places.
struct Columns {
    fileprivate let statement: SQLiteStatement

    func bytes(_ index: Int32) -> Bytes? {
        if isNull(index) { return nil }
        guard let start = sqlite3_column_blob(statement, index) else { return [] }
        return Bytes(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, index))))
    }

    func text(_ index: Int32) -> String? {
        sqlite3_column_text(statement, index).map { String(cString: $0) }
    }

    func integer(_ index: Int32) -> Int64? {
        isNull(index) ? nil : sqlite3_column_int64(statement, index)
    }

    /// Nil for what is no number, as well: SQLite would read it as 0.
    func number(_ index: Int32) -> Int64? {
        sqlite3_column_type(statement, index) == SQLITE_INTEGER ? sqlite3_column_int64(statement, index) : nil
    }

    func isNull(_ index: Int32) -> Bool { sqlite3_column_type(statement, index) == SQLITE_NULL }
}

/// What takes the place of a question mark.
protocol Bindable {
    func bind(to statement: SQLiteStatement, at index: Int32) -> Int32
}

/// Tells SQLite to copy what it is given.
private let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

extension [UInt8]: Bindable {
    func bind(to statement: SQLiteStatement, at index: Int32) -> Int32 {
        // No pointer would mean NULL.
        if isEmpty { return sqlite3_bind_zeroblob(statement, index, 0) }
        return withUnsafeBytes { sqlite3_bind_blob(statement, index, $0.baseAddress, Int32($0.count), copied) }
    }
}

extension String: Bindable {
    func bind(to statement: SQLiteStatement, at index: Int32) -> Int32 {
        sqlite3_bind_text(statement, index, self, -1, copied)
    }
}

extension Int64: Bindable {
    func bind(to statement: SQLiteStatement, at index: Int32) -> Int32 { sqlite3_bind_int64(statement, index, self) }
}

extension Optional: Bindable where Wrapped: Bindable {
    func bind(to statement: SQLiteStatement, at index: Int32) -> Int32 {
        self?.bind(to: statement, at: index) ?? sqlite3_bind_null(statement, index)
    }
}
