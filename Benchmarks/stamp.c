// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

// A workload that costs nothing itself: its first and its last act are a line each, "BOOTTIME_NS start|end NODE".
//
//   stamp FILE MILLISECONDS

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void say(const char *file, const char *event) {
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    char line[160];
    const char *node = getenv("BATON_NODE");
    int length = snprintf(line, sizeof line, "%lld %s %.64s\n", time.tv_sec * 1000000000LL + time.tv_nsec, event,
                          node ? node : "-");
    int descriptor = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0 || write(descriptor, line, (size_t)length) != length) _exit(1);
    close(descriptor);
}

int main(int count, char **arguments) {
    if (count != 3) return 64;
    say(arguments[1], "start");
    struct timespec pause = {.tv_sec = 0, .tv_nsec = atoi(arguments[2]) * 1000000L};
    nanosleep(&pause, NULL);
    say(arguments[1], "end");
    return 0;
}
