// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0
//
// What Swift cannot say: variadic or missing system calls, unix socket addresses, and the code between fork and exec.
// Functions return 0 or a value >= 0 for success and -errno for failure, unless they say otherwise.

#ifndef BATON_CLINUX_H
#define BATON_CLINUX_H

#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>
#include <sys/uio.h>

// What a start failed at. The numbers are those of `StartStep`.
enum clinux_step {
    CLINUX_STEP_RESOURCES = 3,
    CLINUX_STEP_SESSION = 4,
    CLINUX_STEP_CGROUP = 5,
    CLINUX_STEP_LIMITS = 6,
    CLINUX_STEP_NICE = 7,
    CLINUX_STEP_IDENTITY = 8,
    CLINUX_STEP_WORKING_DIRECTORY = 9,
    CLINUX_STEP_OUTPUT = 10,
    CLINUX_STEP_EXEC = 11,
};

// What comes over the error pipe of a start; end of file instead: the program runs.
struct clinux_failure {
    int32_t step;
    int32_t error;
};

// An rlimit; without `has_hard`, the hard one stays as it is.
struct clinux_limit {
    int resource;
    int has_hard;
    uint64_t soft, hard;
};

// A workload, prepared so that nothing has to be allocated after the fork.
struct clinux_workload {
    char *const *arguments;
    char *const *environment;
    char *const *candidates;  // paths of the program, tried in turn, NULL at the end
    const char *working_directory;
    const char *output_path;  // NULL: the two descriptors below
    int stdin_fd;  // 0: nothing to read
    int stdout_fd;
    int stderr_fd;
    int cgroup_fd;  // the run's cgroup directory, or -1
    int has_identity;
    uid_t uid;
    gid_t gid;
    const gid_t *groups;
    size_t group_count;
    mode_t umask;
    int nice;
    const struct clinux_limit *limits;
    size_t limit_count;
    int has_capabilities;
    uint64_t capabilities;  // all others are taken out of the bounding set
    const uint64_t *deadline;  // CLOCK_BOOTTIME in nanoseconds, shared with the keeper: nothing is executed after it
    int restore_oom;  // whether oom_score_adj was changed and is to be `oom_score_adj` again
    int oom_score_adj;
};

// Forks and execs. Returns the child's pid; `*error_fd` becomes the end to read a `clinux_failure` from.
pid_t clinux_start_workload(const struct clinux_workload *workload, int *error_fd);

// Starts `path` with `argument`, in a session of its own, with `socket` as descriptor 3, no other descriptors and an
// empty environment. Safe in a program with threads.
pid_t clinux_spawn_keeper(const char *path, const char *argument, int socket);

// --- processes
int clinux_pidfd_open(pid_t pid);
int clinux_pidfd_signal(int pidfd, int signal);
// Reaps the child behind a pidfd if it has ended: 1, 0 when it has not; `*code` is CLD_EXITED, CLD_KILLED or CLD_DUMPED.
int clinux_pidfd_reap(int pidfd, int *code, int *status);
// Reaps any child that has ended: its pid, 0 when none has, -ECHILD when there are no children at all.
pid_t clinux_reap_any(int *code, int *status);
// fork(2), for a program with one thread.
pid_t clinux_fork(void);
int clinux_become_subreaper(void);
// SCHED_FIFO that children do not inherit; 0 or -errno.
int clinux_become_realtime(void);
// SCHED_FIFO that children do inherit; 0 or -errno.
int clinux_start_realtime(void);
int clinux_lock_memory(void);
int clinux_close_from(int first);
// Ignores what a terminal might send, blocks SIGCHLD and SIGTERM and returns a descriptor that tells of them.
int clinux_quiet_signals(void);
// Returns whether SIGTERM was among them.
int clinux_drain_signals(int fd);

// --- time
int clinux_boot_timer(void);
// Arms a timer for an absolute CLOCK_BOOTTIME; disarms it for a negative one.
int clinux_arm_timer(int fd, int64_t nanoseconds);
void clinux_drain_timer(int fd);
int clinux_eventfd(void);
// How much faster or slower than nominal the kernel lets this machine's clocks tick now, as a fraction (adjtimex).
double clinux_clock_deviation(void);

// --- unix sockets; `directory` >= 0: `name` is in that directory, however long its path is
int clinux_unix_listen(int directory, const char *name, int type, mode_t mode);
int clinux_unix_connect(int directory, const char *name, int type);
int clinux_accept(int fd);
int clinux_socketpair(int fds[2]);
int clinux_peer_uid(int fd, uid_t *uid);
// Who connected, as the kernel recorded it then.
int clinux_peer(int fd, pid_t *pid, uid_t *uid, gid_t *gid);
// The supplementary groups that the peer had when it connected: their number; -ERANGE when there are more than `room`.
int clinux_peer_groups(int fd, gid_t *groups, size_t room);
// An access control list: the owner and `group` may read and write the file, the owning group if `owning_group_may`,
// and nobody else.
int clinux_admit_group(const char *path, int owning_group_may, gid_t group);
int clinux_pipe(int fds[2]);
// Sends without blocking and without SIGPIPE.
ssize_t clinux_send(int fd, const void *bytes, size_t count);
// The same for one packet that lies in several places.
ssize_t clinux_send_parts(int fd, const struct iovec *parts, size_t count);
// Receives one packet without blocking; a packet longer than `count` is -EMSGSIZE.
ssize_t clinux_receive(int fd, void *bytes, size_t count);

// --- memory shared with a forked process
uint64_t clinux_load(const uint64_t *word);
void clinux_store(uint64_t *word, uint64_t value);
void *clinux_shared_memory(size_t size);
// A file without a place in any folder that has these bytes, to be read from its beginning.
int clinux_memory_file(const char *name, const void *bytes, size_t count);

// Executes `path` in this process, with its environment; returns only on failure. Signals that are kept, and not taken,
// are kept for it.
int clinux_begin_program(const char *path, char *const *arguments);
// Starts a program with this process's environment; `*output` is where its stdout and stderr can be read.
pid_t clinux_spawn_program(const char *path, char *const *arguments, int *output);
// Counts SIGTERM, SIGINT and SIGHUP from now on, in one eventfd, which is returned; with those that the program before
// this one in the process did not take. (Blocking them is not possible: libdispatch's main thread always takes them.)
int clinux_keep_signals(void);
void clinux_add_signal(int number);
// How many there were since the last time, each kind in its own sixteen bits.
uint64_t clinux_take_signals(int counter);
#define CLINUX_TERM UINT64_C(1)
#define CLINUX_INT (UINT64_C(1) << 16)
#define CLINUX_HUP (UINT64_C(1) << 32)

int clinux_random(void *bytes, size_t count);
int clinux_is_cgroup2(const char *path);

struct clinux_file {
    uint32_t major, minor;
    uint64_t inode;
};
// Which file is at `path`; with an empty one, which is open as `fd`. Its times are not asked for: a file whose times
// somebody has seen is given exact ones by its next write, which makes that write many times as expensive.
int clinux_identify(int fd, const char *path, struct clinux_file *file);

#endif
