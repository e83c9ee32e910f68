// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

// A workload that says when it lives: lines of its own, with its fence and CLOCK_BOOTTIME, appended to one file that all
// nodes of a test share. Whether two runs overlapped is judged from these lines and from nothing else.
//
//   test-workload FILE [--period MS] [--ignore-term] [--daemonise] [--exit-after MS] [--exit-code N] [--busy N]
//                 [--fork MS] [--flood LINES] [--allocate MB]
//
// Each line: BOOTTIME_NS EVENT JOB RUN_ID FENCE NODE PID ROLE, where EVENT is start, alive, term or end, and ROLE is main
// or daemon (a double-forked descendant in a session of its own) or busy (one of N children that never sleep) or child
// (one of those that --fork makes all the time; every other one is a daemon, too).

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t terminated;
static const char *role = "main";
static int file;

static void on_term(int signal) { terminated = signal; }

static long long now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static const char *env(const char *name) {
    const char *value = getenv(name);
    return value ? value : "-";
}

static void say(const char *event) {
    char line[512];
    int length = snprintf(line, sizeof line, "%lld %s %s %s %s %s %d %s\n", now_ns(), event, env("BATON_JOB"),
                          env("BATON_RUN_ID"), env("BATON_FENCE"), env("BATON_NODE"), (int)getpid(), role);
    if (write(file, line, (size_t)length) < 0) _exit(99);
}

// A descendant that ends by itself after a while, if nobody ends it before.
static void fork_child(int period, int as_daemon) {
    if (fork() != 0) return;
    if (as_daemon) {
        setsid();
        if (fork() != 0) _exit(0);
    }
    role = "child";
    signal(SIGTERM, SIG_IGN);
    say("start");
    for (int i = 0; i < 3; i++) {
        usleep((useconds_t)period * 1000);
        say("alive");
    }
    _exit(0);
}

// So many lines for whoever reads the output.
static void flood(int lines) {
    for (; lines > 0; lines--) {
        printf("%d %s\n", lines, "more and more and more and more and more and more and more and more and more words");
    }
    fflush(stdout);
}

// One more megabyte that is really used, up to so many; then none.
static void allocate(int most) {
    static char *blocks[1024];
    static int used;
    if (used == most || used == 1024) {
        while (used > 0) free(blocks[--used]);
    }
    blocks[used] = malloc(1 << 20);
    if (blocks[used]) memset(blocks[used++], 1, 1 << 20);
}

int main(int count, char **arguments) {
    int period = 10, ignore_term = 0, daemonise = 0, exit_after = -1, exit_code = 0, busy = 0;
    int fork_period = 0, flood_lines = 0, megabytes = 0, forked = 0;
    if (count < 2) return 64;
    file = open(arguments[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) return 65;
    for (int i = 2; i < count; i++) {
        if (!strcmp(arguments[i], "--ignore-term")) ignore_term = 1;
        else if (!strcmp(arguments[i], "--daemonise")) daemonise = 1;
        else if (!strcmp(arguments[i], "--period") && i + 1 < count) period = atoi(arguments[++i]);
        else if (!strcmp(arguments[i], "--exit-after") && i + 1 < count) exit_after = atoi(arguments[++i]);
        else if (!strcmp(arguments[i], "--busy") && i + 1 < count) busy = atoi(arguments[++i]);
        else if (!strcmp(arguments[i], "--exit-code") && i + 1 < count) exit_code = atoi(arguments[++i]);
        else if (!strcmp(arguments[i], "--fork") && i + 1 < count) fork_period = atoi(arguments[++i]);
        else if (!strcmp(arguments[i], "--flood") && i + 1 < count) flood_lines = atoi(arguments[++i]);
        else if (!strcmp(arguments[i], "--allocate") && i + 1 < count) megabytes = atoi(arguments[++i]);
        else return 64;
    }
    if (ignore_term) {
        signal(SIGTERM, SIG_IGN);
    } else {
        signal(SIGTERM, on_term);
    }
    long long begun = now_ns();
    say("start");
    printf("started with fence %s\n", env("BATON_FENCE"));
    fflush(stdout);
    if (daemonise && fork() == 0) {
        setsid();
        if (fork() != 0) _exit(0);
        role = "daemon";
        signal(SIGTERM, SIG_IGN);
        say("start");
        for (;;) {
            usleep((useconds_t)period * 1000);
            say("alive");
        }
    }
    for (; busy > 0; busy--) {
        if (fork() != 0) continue;
        role = "busy";
        signal(SIGTERM, SIG_IGN);
        for (long long said = 0;;) {
            if (now_ns() - said < period * 1000000LL) continue;
            say("alive");
            said = now_ns();
        }
    }
    if (fork_period > 0) signal(SIGCHLD, SIG_IGN);
    for (;;) {
        if (terminated) {
            say("term");
            break;
        }
        if (exit_after >= 0 && now_ns() - begun >= exit_after * 1000000LL) break;
        usleep((useconds_t)period * 1000);
        say("alive");
        if (fork_period > 0 && now_ns() - begun >= (forked + 1LL) * fork_period * 1000000LL) {
            fork_child(fork_period, ++forked % 2);
        }
        if (flood_lines > 0) flood(flood_lines);
        if (megabytes > 0) allocate(megabytes);
    }
    say("end");
    return exit_code;
}
