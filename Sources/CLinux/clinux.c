// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "clinux.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
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
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
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

int clinux_start_realtime(void) {
    struct sched_param parameter = {.sched_priority = 1};
    return (int)checked(sched_setscheduler(0, SCHED_FIFO, &parameter));
}

int clinux_lock_memory(void) { return (int)checked(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)); }

int clinux_close_from(int first) { return (int)checked(syscall(SYS_close_range, (unsigned)first, ~0U, 0)); }

int clinux_quiet_signals(void) {
    static const int ignored[] = {SIGINT,  SIGHUP,  SIGQUIT, SIGPIPE, SIGUSR1,
                                  SIGUSR2, SIGALRM, SIGTSTP, SIGTTIN, SIGTTOU};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_SETMASK, &set, NULL) < 0) return -errno;
    return (int)checked(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int clinux_drain_signals(int fd) {
    struct signalfd_siginfo info[8];
    ssize_t count;
    int terminated = 0;
    while ((count = read(fd, info, sizeof info)) > 0) {
        for (size_t i = 0; i < (size_t)count / sizeof *info; i++) terminated |= info[i].ssi_signo == SIGTERM;
    }
    return terminated;
}

// --- the keeper's own start

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
    if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0
        || (type != SOCK_DGRAM && listen(fd, 16) < 0)) {
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

int clinux_peer(int fd, pid_t *pid, uid_t *uid, gid_t *gid) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
    *pid = peer.pid;
    *uid = peer.uid;
    *gid = peer.gid;
    return 0;
}

int clinux_peer_groups(int fd, gid_t *groups, size_t room) {
    socklen_t size = (socklen_t)(room * sizeof *groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0) return -errno;
    return (int)(size / sizeof *groups);
}

int clinux_admit_group(const char *path, int owning_group_may, gid_t group) {
    enum { READ_WRITE = 6, NOBODY = -1 };
    enum { OWNER = 1, OWNING_GROUP = 4, GROUP = 8, MASK = 16, OTHERS = 32 };
    struct {
        uint32_t version;
        struct { uint16_t tag, rights; uint32_t id; } entries[5];
    } list = {
        htole32(2),
        {
            {htole16(OWNER), htole16(READ_WRITE), htole32(NOBODY)},
            {htole16(OWNING_GROUP), htole16(owning_group_may ? READ_WRITE : 0), htole32(NOBODY)},
            {htole16(GROUP), htole16(READ_WRITE), htole32(group)},
            {htole16(MASK), htole16(READ_WRITE), htole32(NOBODY)},
            {htole16(OTHERS), 0, htole32(NOBODY)},
        },
    };
    return (int)checked(setxattr(path, "system.posix_acl_access", &list, sizeof list, 0));
}

int clinux_pipe(int fds[2]) { return (int)checked(pipe2(fds, O_CLOEXEC)); }

ssize_t clinux_send(int fd, const void *bytes, size_t count) {
    return checked(send(fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL));
}

ssize_t clinux_send_parts(int fd, const struct iovec *parts, size_t count) {
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = (struct iovec *)parts;
    message.msg_iovlen = count;
    return checked(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
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

int clinux_memory_file(const char *name, const void *bytes, size_t count) {
    int fd = memfd_create(name, MFD_CLOEXEC | 8U /* MFD_NOEXEC_SEAL */);
    if (fd < 0 && errno == EINVAL) fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) return -errno;
    for (size_t done = 0; done < count;) {
        ssize_t written = pwrite(fd, (const char *)bytes + done, count - done, (off_t)done);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            int error = -errno;
            close(fd);
            return error;
        }
        done += (size_t)written;
    }
    return fd;
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

int clinux_identify(int fd, const char *path, struct clinux_file *file) {
    struct statx found;
    if (statx(fd, path, *path ? 0 : AT_EMPTY_PATH, STATX_INO, &found) < 0) return -errno;
    file->major = found.stx_dev_major;
    file->minor = found.stx_dev_minor;
    file->inode = found.stx_ino;
    return 0;
}

static const char *const kept_variable = "BATON_KEPT_SIGNALS";
static int kept_counter = -1;  // an eventfd: the handler adds to it

static void keep_signal(int number) {
    int error = errno;
    clinux_add_signal(number);
    errno = error;
}

void clinux_add_signal(int number) {
    uint64_t one = number == SIGHUP ? CLINUX_HUP : number == SIGINT ? CLINUX_INT : CLINUX_TERM;
    (void)!write(kept_counter, &one, sizeof one);
}

static sigset_t kept_signals(void) {
    sigset_t kept;
    sigemptyset(&kept);
    sigaddset(&kept, SIGTERM);
    sigaddset(&kept, SIGINT);
    sigaddset(&kept, SIGHUP);
    return kept;
}

int clinux_keep_signals(void) {
    if (kept_counter >= 0) return kept_counter;
    const char *inherited = getenv(kept_variable);
    kept_counter = inherited ? atoi(inherited) : -1;
    if (inherited) unsetenv(kept_variable);
    if (kept_counter < 3 || fcntl(kept_counter, F_SETFD, FD_CLOEXEC) < 0) {
        kept_counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (kept_counter < 0) return -errno;
    }
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = keep_signal;
    action.sa_flags = SA_RESTART;
    sigset_t kept = kept_signals();
    for (int number = 1; number <= SIGTERM; number++) {
        if (sigismember(&kept, number) && sigaction(number, &action, NULL) < 0) return -errno;
    }
    // Whoever executed this program had them wait.
    if (pthread_sigmask(SIG_UNBLOCK, &kept, NULL) != 0) return -EINVAL;
    return kept_counter;
}

// After an exec by the function below, before anything else: libdispatch's main thread would take the first as its end.
__attribute__((constructor)) static void go_on_keeping_signals(void) {
    if (getenv(kept_variable)) clinux_keep_signals();
}

uint64_t clinux_take_signals(int counter) {
    uint64_t taken = 0;
    return read(counter, &taken, sizeof taken) == sizeof taken ? taken : 0;
}

int clinux_begin_program(const char *path, char *const *arguments) {
    sigset_t kept = kept_signals();
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    char text[16];
    snprintf(text, sizeof text, "%d", kept_counter);
    if (fcntl(kept_counter, F_SETFD, 0) < 0 || setenv(kept_variable, text, 1) < 0) return -errno;
    execv(path, arguments);
    return -errno;
}

pid_t clinux_spawn_program(const char *path, char *const *arguments, int *output) {
    extern char **environ;
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0) return -errno;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    pid_t pid = -1;
    int error = posix_spawn_file_actions_init(&actions);
    if (!error) {
        error = posix_spawnattr_init(&attributes);
        if (!error) {
            if (!(error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
                && !(error = posix_spawnattr_setsigdefault(&attributes, &all))
                && !(error = posix_spawnattr_setsigmask(&attributes, &none))
                && !(error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0))
                && !(error = posix_spawn_file_actions_adddup2(&actions, pair[1], 1))
                && !(error = posix_spawn_file_actions_adddup2(&actions, pair[1], 2))) {
                error = posix_spawn(&pid, path, &actions, &attributes, arguments, environ);
            }
            posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&actions);
    }
    close(pair[1]);
    if (error) {
        close(pair[0]);
        return -error;
    }
    *output = pair[0];
    return pid;
}

double clinux_clock_deviation(void) {
    struct timex now;
    memset(&now, 0, sizeof now);
    if (adjtimex(&now) < 0) return 0;
    // `tick` is in microseconds per 1/100 s; `freq` in 2^-16 ppm.
    double deviation = ((double)now.tick / 10000.0 - 1.0) + (double)now.freq / 65536.0 * 1e-6;
    return deviation < 0 ? -deviation : deviation;
}
