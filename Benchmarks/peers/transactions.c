// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0
//
// The two transactions of Baton's lock in an SQLite file (unguarded, with a fence), and nothing around them.
//
//     transactions PATH
//
// PATH is a database that Baton has made: same tables, same write-ahead log. The statements and the levels of
// `synchronous` are those of Sources/BatonSQLite. Each line of standard input is a number of pairs; the answer is how many
// nanoseconds they took, elapsed and of processor.

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char key[] = "bench:peer:00", fence_key[] = "{bench:peer:00}:fence";
static const char boot[] = "00000000-0000-0000-0000-000000000000";
static sqlite3 *database;

enum { BEGIN, COMMIT, FIND, FENCE, RAISE, HOLD, DELETE, ANNOUNCE, FORGET, STATEMENTS };
static const char *const text[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [FIND] = "SELECT boot, token, expires, owner, timeout, seq, lease_ends FROM lock WHERE key = ?",
    [FENCE] = "SELECT value FROM fence WHERE key = ?",
    [RAISE] = "INSERT INTO fence (key, value) VALUES (?, ?)"
              " ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
    [HOLD] = "INSERT OR REPLACE INTO lock (key, boot, token, expires, owner, timeout, seq, lease_ends)"
             " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    [DELETE] = "DELETE FROM lock WHERE key = ?",
    [ANNOUNCE] = "INSERT OR REPLACE INTO change (key, number)"
                 " VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM change))",
    [FORGET] = "DELETE FROM change WHERE number <= (SELECT max(number) FROM change) - ?",
};
static sqlite3_stmt *statements[STATEMENTS];

static void fail(void) {
    fprintf(stderr, "transactions: %s\n", database ? sqlite3_errmsg(database) : "PATH");
    exit(1);
}

static void bind(int which, const char *blob) {
    if (sqlite3_bind_blob(statements[which], 1, blob, strlen(blob), SQLITE_STATIC) != SQLITE_OK) fail();
}

// Runs a statement; returns whether there was a row.
static int run(int which) {
    int result = sqlite3_step(statements[which]);
    if (result != SQLITE_ROW && result != SQLITE_DONE) fail();
    if (sqlite3_reset(statements[which]) != SQLITE_OK) fail();
    return result == SQLITE_ROW;
}

static void level(const char *synchronous) {
    if (sqlite3_exec(database, synchronous, NULL, NULL, NULL) != SQLITE_OK) fail();
}

static long long read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void acquire(const char *token) {
    level("PRAGMA synchronous = FULL");
    run(BEGIN);
    long long now = read_clock(CLOCK_BOOTTIME) / 1000;
    if (run(FIND)) fail();
    run(FENCE);
    sqlite3_bind_int64(statements[RAISE], 2, read_clock(CLOCK_REALTIME) / 1000);
    run(RAISE);
    sqlite3_stmt *hold = statements[HOLD];
    sqlite3_bind_blob(hold, 3, token, 32, SQLITE_STATIC);
    sqlite3_bind_int64(hold, 4, now + 10000000);
    run(HOLD);
    run(COMMIT);
}

static void release(void) {
    level("PRAGMA synchronous = NORMAL");
    run(BEGIN);
    if (!run(FIND)) fail();
    run(DELETE);
    run(ANNOUNCE);
    run(FORGET);
    run(COMMIT);
}

int main(int argc, char **argv) {
    if (argc != 2 || sqlite3_open(argv[1], &database) != SQLITE_OK) fail();
    sqlite3_busy_timeout(database, 10000);
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v2(database, text[i], -1, &statements[i], NULL) != SQLITE_OK) fail();
    bind(FIND, key), bind(FENCE, fence_key), bind(RAISE, fence_key), bind(HOLD, key);
    bind(DELETE, key), bind(ANNOUNCE, key);
    sqlite3_bind_text(statements[HOLD], 2, boot, -1, SQLITE_STATIC);
    sqlite3_bind_zeroblob(statements[HOLD], 5, 0);
    sqlite3_bind_int64(statements[HOLD], 7, 0);
    sqlite3_bind_int64(statements[FORGET], 1, 10000);

    unsigned long done = 0;
    char line[32], token[33];
    puts("ready");
    for (fflush(stdout); fgets(line, sizeof line, stdin); fflush(stdout)) {
        unsigned long end = done + strtoul(line, NULL, 10);
        long long elapsed = read_clock(CLOCK_BOOTTIME), used = read_clock(CLOCK_PROCESS_CPUTIME_ID);
        for (; done < end; done++) {
            snprintf(token, sizeof token, "%032lu", done);
            acquire(token);
            release();
        }
        printf("%lld %lld\n", read_clock(CLOCK_BOOTTIME) - elapsed, read_clock(CLOCK_PROCESS_CPUTIME_ID) - used);
    }
}
