// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

// A bad line between two network interfaces: what arrives at one leaves at the other, but late, twice, or not at all.
// (Many kernels have no netem.)
//
//   bad-line INTERFACE INTERFACE [--loss PERCENT] [--duplicate PERCENT] [--delay MS] [--jitter MS] [--stutter MS]
//
// With --jitter frames overtake each other. With --stutter the line stands still for so long, again and again, and then
// lets everything go at once. It ends when it is killed.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// One that is on its way.
struct frame {
    struct frame *next;
    long long due;
    int to;
    size_t length;
    char bytes[];
};

static struct frame *queue;
static int loss, duplicate, delay, jitter, stutter;

static long long now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static int open_interface(const char *name) {
    int line = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
    int yes = 1;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    address.sll_ifindex = (int)if_nametoindex(name);
    struct packet_mreq all = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    // The header tells of checksums and segments that are still to be made: between such interfaces nobody has made them.
    if (line < 0 || address.sll_ifindex == 0 || setsockopt(line, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) ||
        setsockopt(line, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) ||
        setsockopt(line, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) ||
        bind(line, (struct sockaddr *)&address, sizeof address)) {
        perror(name);
        exit(1);
    }
    return line;
}

static int chance(int percent) { return rand() % 100 < percent; }

static void enqueue(const char *bytes, size_t length, int to) {
    struct frame *frame = malloc(sizeof *frame + length);
    if (!frame) return;
    frame->due = now_us() + delay * 1000LL + (jitter > 0 ? rand() % (jitter * 1000) : 0);
    if (stutter > 0) {
        // Every other period it stands still.
        long long period = stutter * 1000LL, into = frame->due % (2 * period);
        if (into < period) frame->due += period - into;
    }
    frame->to = to;
    frame->length = length;
    memcpy(frame->bytes, bytes, length);
    struct frame **place = &queue;
    while (*place && (*place)->due <= frame->due) place = &(*place)->next;
    frame->next = *place;
    *place = frame;
}

static void receive(int from, int to) {
    static char bytes[1 << 17];
    for (;;) {
        ssize_t length = read(from, bytes, sizeof bytes);
        if (length <= 0) return;
        if (chance(loss)) continue;
        enqueue(bytes, (size_t)length, to);
        if (chance(duplicate)) enqueue(bytes, (size_t)length, to);
    }
}

int main(int count, char **arguments) {
    if (count < 3) return 64;
    for (int i = 3; i + 1 < count; i += 2) {
        int value = atoi(arguments[i + 1]);
        if (!strcmp(arguments[i], "--loss")) loss = value;
        else if (!strcmp(arguments[i], "--duplicate")) duplicate = value;
        else if (!strcmp(arguments[i], "--delay")) delay = value;
        else if (!strcmp(arguments[i], "--jitter")) jitter = value;
        else if (!strcmp(arguments[i], "--stutter")) stutter = value;
        else return 64;
    }
    srand((unsigned)now_us());
    struct pollfd ends[] = {
        {.fd = open_interface(arguments[1]), .events = POLLIN}, {.fd = open_interface(arguments[2]), .events = POLLIN}};
    for (;;) {
        int wait = -1;
        for (long long now = now_us(); queue && wait != 0;) {
            struct frame *first = queue;
            if (first->due > now) {
                wait = (int)((first->due - now) / 1000) + 1;
                break;
            }
            // One that does not go through is lost, as on any line.
            if (write(first->to, first->bytes, first->length) < 0) { }
            queue = first->next;
            free(first);
        }
        poll(ends, 2, wait);
        receive(ends[0].fd, ends[1].fd);
        receive(ends[1].fd, ends[0].fd);
    }
}
