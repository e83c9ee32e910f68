// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

// Tells Thread Sanitizer of each Synchronization.Mutex that is taken after a wait, or given to who waits: that happens
// within the Swift runtime and the kernel, unseen. All else of a mutex is inlined into code that is watched. Without this,
// whatever is done under a mutex that two threads want at once is taken for a race. Preloaded by .ci/sanitize.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

// Synchronization._MutexHandle._lockSlow(_: UInt32), ._unlockSlow()
#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *

SWIFT void lock_slow(uint32_t owner, SELF) __asm__(LOCK_SLOW);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK_SLOW);

typedef SWIFT void (*lock_function)(uint32_t, SELF);
typedef SWIFT void (*unlock_function)(SELF);
typedef void (*told_function)(void *);

static lock_function real_lock;
static unlock_function real_unlock;
static told_function acquired, released;

__attribute__((constructor)) static void find(void) {
    real_lock = (lock_function)dlsym(RTLD_NEXT, LOCK_SLOW);
    real_unlock = (unlock_function)dlsym(RTLD_NEXT, UNLOCK_SLOW);
    acquired = (told_function)dlsym(RTLD_DEFAULT, "__tsan_acquire");
    released = (told_function)dlsym(RTLD_DEFAULT, "__tsan_release");
}

SWIFT void lock_slow(uint32_t owner, SELF mutex) {
    real_lock(owner, mutex);
    if (acquired) acquired(mutex);
}

SWIFT void unlock_slow(SELF mutex) {
    if (released) released(mutex);
    real_unlock(mutex);
}
