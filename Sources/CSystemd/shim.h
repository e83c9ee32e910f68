/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BATON_CSYSTEMD_SHIM_H
#define BATON_CSYSTEMD_SHIM_H

#include <stdint.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/* What RELOADING=1 wants beside it, to tell one reload from another. */
static inline uint64_t baton_monotonic_microseconds(void) {
    struct timespec reading;
    clock_gettime(CLOCK_MONOTONIC, &reading);
    return (uint64_t)reading.tv_sec * 1000000 + (uint64_t)reading.tv_nsec / 1000;
}

#endif
