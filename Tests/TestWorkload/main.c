// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

// A workload that says when it lives: lines of its own, with its fence and CLOCK_BOOTTIME, appended to one file that all
// nodes of a test share. Whether two runs overlapped is judged from these lines and from nothing else.
//
//   test-workload FILE [--period MS] [--ignore-term] [--daemonise] [--exit-after MS] [--exit-code N] [--busy N]
//
// Each line: BOOTTIME_NS EVENT JOB RUN_ID FENCE NODE PID ROLE, where EVENT is start, alive, term or end, and ROLE is main
// or daemon (a double-forked descendant in a session of its own) or busy (one of N children that never sleep).

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

int main(int count, char **arguments) {
    int period = 10, ignore_term = 0, daemonise = 0, exit_after = -1, exit_code = 0, busy = 0;
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
    for (;;) {
        if (terminated) {
            say("term");
            break;
        }
        if (exit_after >= 0 && now_ns() - begun >= exit_after * 1000000LL) break;
        usleep((useconds_t)period * 1000);
        say("alive");
    }
    say("end");
    return exit_code;
}
