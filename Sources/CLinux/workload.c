// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0
//
// The code between fork and exec: only async-signal-safe calls, nothing allocated.

#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void fail(int error_fd, int step) {
    struct clinux_failure failure = {.step = step, .error = errno};
    ssize_t written = write(error_fd, &failure, sizeof failure);
    _exit(written < 0 ? 126 : 127);
}

// The raw call: glibc's hides signals 32 and 33, and its posix_spawn, which starts the keeper, leaves them ignored.
static void reset_signals(void) {
    static const char action[64];  // a kernel's struct sigaction, all zero: SIG_DFL
    for (int signal = 1; signal <= 64; signal++) syscall(SYS_rt_sigaction, signal, action, NULL, 8);
}

static void restore_oom(int score) {
    char digits[16], *end = digits + sizeof digits, *start = end;
    unsigned rest = score < 0 ? 0U - (unsigned)score : (unsigned)score;
    do *--start = (char)('0' + rest % 10);
    while (rest /= 10);
    if (score < 0) *--start = '-';
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t ignored = write(fd, start, (size_t)(end - start));
    (void)ignored;
    close(fd);
}

// Out of the keeper's real-time class, also where the kernel did not reset it on fork; then the nice value.
static void set_priority(const struct clinux_workload *w, int error_fd) {
    struct sched_param parameter = {.sched_priority = 0};
    if (sched_getscheduler(0) != SCHED_OTHER) sched_setscheduler(0, SCHED_OTHER, &parameter);
    // The raw call: glibc's setpriority is the same, its nice() is not.
    if (syscall(SYS_setpriority, 0 /* PRIO_PROCESS */, 0, w->nice) < 0 && w->nice < 0) {
        fail(error_fd, CLINUX_STEP_NICE);
    }
}

struct limit64 {
    uint64_t soft, hard;
};

static void set_limits(const struct clinux_workload *w, int error_fd) {
    for (size_t i = 0; i < w->limit_count; i++) {
        const struct clinux_limit *wanted = &w->limits[i];
        struct limit64 limit;
        if (syscall(SYS_prlimit64, 0, wanted->resource, NULL, &limit) < 0) fail(error_fd, CLINUX_STEP_LIMITS);
        limit.soft = wanted->soft;
        if (wanted->has_hard) limit.hard = wanted->hard;
        if (limit.hard < limit.soft) limit.hard = limit.soft;
        if (syscall(SYS_prlimit64, 0, wanted->resource, &limit, NULL) < 0) fail(error_fd, CLINUX_STEP_LIMITS);
    }
}

// What is not in the bounding set is nobody's after an exec, root's neither. The kernel may know more of them than we.
static void bound_capabilities(const struct clinux_workload *w, int error_fd) {
    if (!w->has_capabilities) return;
    for (int capability = 0; capability < 64; capability++) {
        if (w->capabilities >> capability & 1) continue;
        int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (held < 0) break;
        if (held && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) fail(error_fd, CLINUX_STEP_IDENTITY);
    }
}

// The raw calls: between fork and exec there is one thread, and glibc's wrappers would signal the others.
static void set_identity(const struct clinux_workload *w, int error_fd) {
    if (!w->has_identity) return;
    if (syscall(SYS_setgroups, w->group_count, w->groups) < 0
        || syscall(SYS_setresgid, w->gid, w->gid, w->gid) < 0
        || syscall(SYS_setresuid, w->uid, w->uid, w->uid) < 0) {
        fail(error_fd, CLINUX_STEP_IDENTITY);
    }
}

static void set_descriptors(const struct clinux_workload *w, int error_fd) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (null < 0) fail(error_fd, CLINUX_STEP_OUTPUT);
    int out = w->stdout_fd >= 0 ? w->stdout_fd : null;
    int err = w->stderr_fd >= 0 ? w->stderr_fd : null;
    if (w->output_path) {
        // Not blocking: a FIFO without a reader would hold the start up for ever.
        int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
        out = err = open(w->output_path, flags, 0640);
        if (out < 0) fail(error_fd, CLINUX_STEP_OUTPUT);
        if (fcntl(out, F_SETFL, O_APPEND) < 0) fail(error_fd, CLINUX_STEP_OUTPUT);
    }
    int in = w->stdin_fd > 0 ? w->stdin_fd : null;
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) fail(error_fd, CLINUX_STEP_OUTPUT);
}

static void run_program(const struct clinux_workload *w, int error_fd) {
    int refused = 0;
    for (char *const *path = w->candidates; *path; path++) {
        execve(*path, w->arguments, w->environment);
        if (errno == EACCES) refused = 1;
        else if (errno != ENOENT && errno != ENOTDIR) break;
    }
    if (refused && (errno == ENOENT || errno == ENOTDIR)) errno = EACCES;
    fail(error_fd, CLINUX_STEP_EXEC);
}

// The fork may have waited long in the kernel (for the lock of all cgroups, say), and the keeper in it. It will kill this
// process as soon as it runs again; but until then nothing of the workload's must have run.
static void refuse_after_deadline(const struct clinux_workload *w, int error_fd) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    uint64_t nanoseconds = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    if (nanoseconds < clinux_load(w->deadline)) return;
    errno = ETIME;
    fail(error_fd, CLINUX_STEP_RESOURCES);
}

static _Noreturn void child(const struct clinux_workload *w, int error_fd, pid_t parent, int enter_cgroup) {
    if (setsid() < 0) fail(error_fd, CLINUX_STEP_SESSION);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (enter_cgroup) {
        int procs = openat(w->cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (procs < 0 || write(procs, "0", 1) != 1) fail(error_fd, CLINUX_STEP_CGROUP);
    }
    reset_signals();
    if (w->restore_oom) restore_oom(w->oom_score_adj);
    set_limits(w, error_fd);
    set_priority(w, error_fd);
    bound_capabilities(w, error_fd);
    set_identity(w, error_fd);
    // A change of credentials clears it. If the keeper died before this line, no signal will ever come.
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) _exit(127);
    umask(w->umask);
    if (chdir(w->working_directory) < 0) fail(error_fd, CLINUX_STEP_WORKING_DIRECTORY);
    set_descriptors(w, error_fd);
    syscall(SYS_close_range, 3U, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    refuse_after_deadline(w, error_fd);
    run_program(w, error_fd);
    _exit(127);
}

// A fork whose child is born in the cgroup. Moving one there later holds a start up for an RCU grace period (10 ms and
// more); but a kernel, or a seccomp filter, may not know this call.
static pid_t fork_into(int cgroup_fd) {
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
    } arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.flags = 0x200000000ULL;  // CLONE_INTO_CGROUP
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = (uint64_t)cgroup_fd;
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

pid_t clinux_start_workload(const struct clinux_workload *workload, int *error_fd) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0) return -errno;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    pid_t parent = getpid();
    // A handler of the parent's must not run in the child, which undoes this before it executes the program.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = workload->cgroup_fd >= 0 ? fork_into(workload->cgroup_fd) : -1;
    int enter_cgroup = pid < 0 && workload->cgroup_fd >= 0;
    if (pid < 0) pid = fork();
    if (pid == 0) child(workload, fds[1], parent, enter_cgroup);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return -error;
    }
    *error_fd = fds[0];
    return pid;
}
