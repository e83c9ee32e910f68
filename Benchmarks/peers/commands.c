// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0
//
// The two commands that Baton's lock sends, and nothing around them: hiredis, blocking, one connection.
//
//     commands PORT FILE DEPTH
//
// FILE holds both commands, each as the number of its arguments and then one line for each. In an argument, "TOKEN" stands
// for 32 characters that are new for every pair, and "@@" for the two digits of a lock. Each line of standard input is a
// number of pairs; the answer is how many nanoseconds they took, elapsed and of processor. DEPTH 1: one command after the
// other. More: DEPTH acquires of as many locks at once, then their releases.

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 32, LONGEST = 1024 };

struct command {
    int count;
    char text[MOST][LONGEST];
    const char *arguments[MOST];
    size_t lengths[MOST];
    char *tokens[MOST], *numbers[MOST]; // what changes
    int token_count, number_count;
    const char *word; // the answer that means yes
};

static void fail(const char *why) {
    fprintf(stderr, "commands: %s\n", why);
    exit(1);
}

static void read_command(FILE *file, struct command *command, const char *word) {
    char line[LONGEST];
    if (!fgets(line, sizeof line, file)) fail("too few commands");
    command->count = atoi(line);
    if (command->count < 1 || command->count > MOST) fail("too many arguments");
    command->word = word;
    for (int i = 0; i < command->count; i++) {
        char *text = command->text[i], *place;
        if (!fgets(line, sizeof line, file)) fail("too few arguments");
        line[strcspn(line, "\n")] = 0;
        if (strcmp(line, "TOKEN") == 0) {
            memset(text, '0', 32);
            command->tokens[command->token_count++] = text;
        } else {
            strcpy(text, line);
            if ((place = strstr(text, "@@"))) command->numbers[command->number_count++] = place;
        }
        command->arguments[i] = text;
        command->lengths[i] = strlen(text);
    }
}

// Writes the last digits of a number over what is there.
static void write_digits(char *last, unsigned long number, int count) {
    for (; count > 0; count--, number /= 10) *last-- = '0' + number % 10;
}

static void prepare(struct command *command, unsigned long pair, int slot) {
    for (int i = 0; i < command->token_count; i++) write_digits(command->tokens[i] + 31, pair, 12);
    for (int i = 0; i < command->number_count; i++) write_digits(command->numbers[i] + 1, slot, 2);
}

static void check(redisReply *reply, const struct command *command) {
    if (!reply) fail("the connection broke");
    if (reply->type != REDIS_REPLY_ARRAY || strcmp(reply->element[0]->str, command->word) != 0)
        fail(reply->type == REDIS_REPLY_ERROR ? reply->str : reply->element[0]->str);
    freeReplyObject(reply);
}

static void one(redisContext *context, struct command *command, unsigned long pair) {
    prepare(command, pair, 0);
    check(redisCommandArgv(context, command->count, command->arguments, command->lengths), command);
}

static void many(redisContext *context, struct command *command, unsigned long pair, int depth) {
    for (int slot = 0; slot < depth; slot++) {
        prepare(command, pair + slot, slot);
        redisAppendCommandArgv(context, command->count, command->arguments, command->lengths);
    }
    for (int slot = 0; slot < depth; slot++) {
        void *reply = NULL;
        redisGetReply(context, &reply);
        check(reply, command);
    }
}

static long long read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char **argv) {
    static struct command acquire, release;
    if (argc != 4) fail("PORT FILE DEPTH");
    FILE *file = fopen(argv[2], "r");
    if (!file) fail("no such file");
    read_command(file, &acquire, "granted");
    read_command(file, &release, "released");
    int depth = atoi(argv[3]);
    redisContext *context = redisConnect("127.0.0.1", atoi(argv[1]));
    if (!context || context->err) fail("no connection");

    unsigned long done = 0;
    char line[32];
    puts("ready");
    for (fflush(stdout); fgets(line, sizeof line, stdin); fflush(stdout)) {
        unsigned long end = done + strtoul(line, NULL, 10);
        long long elapsed = read_clock(CLOCK_BOOTTIME), used = read_clock(CLOCK_PROCESS_CPUTIME_ID);
        for (; done < end; done += depth) {
            if (depth == 1) {
                one(context, &acquire, done);
                one(context, &release, done);
            } else {
                many(context, &acquire, done, depth);
                many(context, &release, done, depth);
            }
        }
        printf("%lld %lld\n", read_clock(CLOCK_BOOTTIME) - elapsed, read_clock(CLOCK_PROCESS_CPUTIME_ID) - used);
    }
}
