// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import GRDB
import Glibc

/// Says what is wrong with the database file, in words that tell what to do about it.
struct DatabaseFailure {
    let path: String

    /// The error of a request that failed in SQLite. All but `unknownOutcome` mean that nothing was applied.
    func lockError(from error: any Error) -> LockError {
        guard let error = error as? DatabaseError else { return LockError(.unreachable, "\(path): \(error)") }
        let detail = error.message ?? error.resultCode.description
        switch error.resultCode {
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return LockError(.unreachable, "\(path): locked by another process for too long")
        case .SQLITE_FULL:
            return LockError(.refused, "\(path): no space left on the disk")
        case .SQLITE_NOTADB:
            return LockError(.refused, "\(path) is not an SQLite database")
        case .SQLITE_CORRUPT:
            return LockError(
                .refused, "\(path) is damaged (\(detail)); stop every batond that uses it, and delete it with its -wal")
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
            return obstacle() ?? LockError(.unreachable, "\(path): \(detail)")
        case .SQLITE_IOERR:
            // The log may have been written although the call that wrote it failed.
            return LockError(.unknownOutcome, "\(path): \(detail)")
        default:
            return LockError(.refused, "\(path): \(detail)")
        }
    }

    /// The error of a file that could not be created.
    func lockError(creatingFailedWith number: Int32) -> LockError {
        if let obstacle = obstacle() { return obstacle }
        let code: LockError.Code = number == EACCES || number == EPERM || number == EROFS ? .notPermitted : .unreachable
        return LockError(code, "\(path) cannot be created: \(String(cString: strerror(number)))")
    }

    /// What stands in the way of reading and writing the file, as far as the kernel tells.
    private func obstacle() -> LockError? {
        let folder = folder
        var found = stat()
        if stat(folder, &found) != 0 {
            return LockError(.unreachable, "\(path): the folder \(folder): \(String(cString: strerror(errno)))")
        }
        if found.st_mode & S_IFMT != S_IFDIR { return LockError(.unreachable, "\(path): \(folder) is not a folder") }
        if stat(path, &found) == 0 {
            if found.st_mode & S_IFMT == S_IFDIR { return LockError(.refused, "\(path) is a folder, not a file") }
            if access(path, R_OK | W_OK) != 0 {
                return LockError(.notPermitted, "\(path) cannot be written: \(String(cString: strerror(errno)))")
            }
        }
        if access(folder, W_OK | X_OK) != 0 {
            return LockError(
                .notPermitted, "\(path): the folder \(folder) cannot be written: \(String(cString: strerror(errno)))")
        }
        return nil
    }

    private var folder: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
