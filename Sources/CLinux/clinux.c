// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif
#define CGROUP2_MAGIC 0x63677270

static long checked(long result) { return result < 0 ? -errno : result; }

// --- processes

int clinux_pidfd_open(pid_t pid) { return (int)checked(syscall(SYS_pidfd_open, pid, 0)); }

int clinux_pidfd_signal(int pidfd, int signal) {
    return (int)checked(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

int clinux_pidfd_reap(int pidfd, int *code, int *status) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0) return -errno;
    if (info.si_pid == 0) return 0;
    *code = info.si_code;
    *status = info.si_status;
    return 1;
}

pid_t clinux_reap_any(int *code, int *status) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0) return -errno;
    *code = info.si_code;
    *status = info.si_status;
    return info.si_pid;
}

pid_t clinux_fork(void) { return (pid_t)checked(fork()); }

int clinux_become_subreaper(void) { return (int)checked(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)); }

int clinux_become_realtime(void) {
    struct sched_param parameter = {.sched_priority = 1};
    return (int)checked(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter));
}

int clinux_lock_memory(void) { return (int)checked(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)); }

static int close_range_from(unsigned first, unsigned flags) {
    return (int)checked(syscall(SYS_close_range, first, ~0U, flags));
}

int clinux_close_from(int first) { return close_range_from((unsigned)first, 0); }

int clinux_quiet_signals(void) {
    static const int ignored[] = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT, SIGPIPE, SIGUSR1,
                                  SIGUSR2, SIGALRM, SIGTSTP, SIGTTIN, SIGTTOU};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_SETMASK, &set, NULL) < 0) return -errno;
    return (int)checked(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

void clinux_drain_signals(int fd) {
    struct signalfd_siginfo info[8];
    while (read(fd, info, sizeof info) > 0) {}
}

// --- the code between fork and exec: only async-signal-safe calls, nothing allocated

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
    if (!w->has_open_files) return;
    const int nofile = 7;  // RLIMIT_NOFILE
    struct limit64 limit;
    if (syscall(SYS_prlimit64, 0, nofile, NULL, &limit) < 0) fail(error_fd, CLINUX_STEP_LIMITS);
    limit.soft = w->open_files_soft;
    if (w->has_open_files_hard) limit.hard = w->open_files_hard;
    if (limit.hard < limit.soft) limit.hard = limit.soft;
    if (syscall(SYS_prlimit64, 0, nofile, &limit, NULL) < 0) fail(error_fd, CLINUX_STEP_LIMITS);
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
    if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) fail(error_fd, CLINUX_STEP_OUTPUT);
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
    set_identity(w, error_fd);
    // A change of credentials clears it. If the keeper died before this line, no signal will ever come.
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) _exit(127);
    umask(w->umask);
    if (chdir(w->working_directory) < 0) fail(error_fd, CLINUX_STEP_WORKING_DIRECTORY);
    set_descriptors(w, error_fd);
    close_range_from(3, 4 /* CLOSE_RANGE_CLOEXEC */);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
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
    pid_t pid = workload->cgroup_fd >= 0 ? fork_into(workload->cgroup_fd) : -1;
    int enter_cgroup = pid < 0 && workload->cgroup_fd >= 0;
    if (pid < 0) pid = fork();
    if (pid == 0) child(workload, fds[1], parent, enter_cgroup);
    int error = errno;
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return -error;
    }
    *error_fd = fds[0];
    return pid;
}

pid_t clinux_spawn_keeper(const char *path, const char *argument, int socket) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    pid_t pid = -1;
    char *const arguments[] = {(char *)path, (char *)argument, NULL};
    char *const environment[] = {NULL};
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return -error;
    error = posix_spawnattr_init(&attributes);
    if (error) {
        posix_spawn_file_actions_destroy(&actions);
        return -error;
    }
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID;
    if (!(error = posix_spawnattr_setflags(&attributes, flags))
        && !(error = posix_spawnattr_setsigdefault(&attributes, &all))
        && !(error = posix_spawnattr_setsigmask(&attributes, &none))
        && !(error = posix_spawn_file_actions_adddup2(&actions, socket, 3))
        && !(error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0))
        && !(error = posix_spawn_file_actions_adddup2(&actions, 0, 1))
        && !(error = posix_spawn_file_actions_adddup2(&actions, 0, 2))
        && !(error = posix_spawn_file_actions_addclosefrom_np(&actions, 4))) {
        error = posix_spawn(&pid, path, &actions, &attributes, arguments, environment);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error ? -error : pid;
}

// --- time

int clinux_boot_timer(void) { return (int)checked(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)); }

int clinux_arm_timer(int fd, int64_t nanoseconds) {
    struct itimerspec when;
    memset(&when, 0, sizeof when);
    if (nanoseconds >= 0) {
        // Zero would disarm it: a time in the past is due now.
        if (nanoseconds == 0) nanoseconds = 1;
        when.it_value.tv_sec = nanoseconds / 1000000000;
        when.it_value.tv_nsec = nanoseconds % 1000000000;
    }
    return (int)checked(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL));
}

void clinux_drain_timer(int fd) {
    uint64_t count;
    while (read(fd, &count, sizeof count) > 0) {}
}

int clinux_eventfd(void) { return (int)checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

// --- unix sockets

static int unix_address(struct sockaddr_un *address, int directory, const char *name) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    int count = directory >= 0
        ? snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", directory, name)
        : snprintf(address->sun_path, sizeof address->sun_path, "%s", name);
    return count < 0 || (size_t)count >= sizeof address->sun_path ? -ENAMETOOLONG : 0;
}

int clinux_unix_listen(int directory, const char *name, int type, mode_t mode) {
    struct sockaddr_un address;
    int error = unix_address(&address, directory, name);
    if (error) return error;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    // The mode of the socket's inode before the bind is that of the file: it is never wider for an instant.
    if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int clinux_unix_connect(int directory, const char *name, int type) {
    struct sockaddr_un address;
    int error = unix_address(&address, directory, name);
    if (error) return error;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int clinux_accept(int fd) { return (int)checked(accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)); }

int clinux_socketpair(int fds[2]) {
    return (int)checked(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
}

int clinux_peer_uid(int fd, uid_t *uid) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
    *uid = peer.uid;
    return 0;
}

int clinux_pipe(int fds[2]) { return (int)checked(pipe2(fds, O_CLOEXEC)); }

ssize_t clinux_send(int fd, const void *bytes, size_t count) {
    return checked(send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL));
}

ssize_t clinux_receive(int fd, void *bytes, size_t count) {
    ssize_t received = recv(fd, bytes, count, MSG_DONTWAIT | MSG_TRUNC);
    if (received < 0) return -errno;
    return (size_t)received > count ? -EMSGSIZE : received;
}

// --- memory

uint64_t clinux_load(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

void clinux_store(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }

void *clinux_shared_memory(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

int clinux_random(void *bytes, size_t count) {
    char *next = bytes;
    while (count > 0) {
        ssize_t got = getrandom(next, count, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        next += got;
        count -= (size_t)got;
    }
    return 0;
}

int clinux_is_cgroup2(const char *path) {
    struct statfs info;
    if (statfs(path, &info) < 0) return 0;
    return info.f_type == CGROUP2_MAGIC;
}
