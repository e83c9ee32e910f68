/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one door to hiredis: its reader parses every reply, its formatter writes every command.
 *
 * hiredis 0.14 and 1.x differ in struct layouts and in the signatures of the reader's callbacks. All of that stays on
 * this side; Swift sees the types and functions below only.
 */
#ifndef BATON_CHIREDIS_SHIM_H
#define BATON_CHIREDIS_SHIM_H

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

/* What one reply may hold. hiredis itself would reserve memory for any number of elements that a peer announces. */
#define BATON_MAX_ELEMENTS 1024
#define BATON_MAX_ELEMENTS_IN_ALL 4096
#define BATON_MAX_DEPTH 7

enum baton_kind { BATON_NULL, BATON_INTEGER, BATON_STRING, BATON_ERROR, BATON_ARRAY };

/* A parsed reply; freed with baton_reply_free. An element is NULL only while its array is being read. */
typedef struct baton_reply {
    enum baton_kind kind;
    long long integer;
    char *bytes;
    size_t length;
    struct baton_reply **elements;
    size_t count;
} baton_reply;

/* A reader and what is left of its limits. */
typedef struct baton_reader {
    redisReader *hiredis;
    size_t elements_left;
    int refused;
} baton_reader;

static inline void baton_reply_free(void *object) {
    baton_reply *reply = (baton_reply *)object;
    if (reply == NULL) return;
    for (size_t i = 0; i < reply->count; i++) baton_reply_free(reply->elements[i]);
    free(reply->elements);
    free(reply->bytes);
    free(reply);
}

/* A new object in its place: the root, or an element of the parent's array. */
static inline baton_reply *baton_reply_new(const redisReadTask *task, enum baton_kind kind) {
    baton_reply *reply = (baton_reply *)calloc(1, sizeof *reply);
    if (reply == NULL) return NULL;
    reply->kind = kind;
    if (task->parent != NULL) ((baton_reply *)task->parent->obj)->elements[task->idx] = reply;
    return reply;
}

static inline void *baton_create_string(const redisReadTask *task, char *bytes, size_t length) {
    baton_reply *reply = baton_reply_new(task, task->type == REDIS_REPLY_ERROR ? BATON_ERROR : BATON_STRING);
    if (reply == NULL) return NULL;
    reply->bytes = (char *)malloc(length + 1);
    if (reply->bytes == NULL) {
        /* Not freed here: an element already belongs to its array, which hiredis frees after an error. */
        if (task->parent == NULL) baton_reply_free(reply);
        return NULL;
    }
    memcpy(reply->bytes, bytes, length);
    reply->length = length;
    return reply;
}

static inline void *baton_create_array_of(const redisReadTask *task, size_t count) {
    baton_reader *reader = (baton_reader *)task->privdata;
    int depth = 1;
    for (const redisReadTask *up = task->parent; up != NULL; up = up->parent) depth++;
    if (count > BATON_MAX_ELEMENTS || count > reader->elements_left || depth > BATON_MAX_DEPTH) {
        reader->refused = 1;
        return NULL;
    }
    reader->elements_left -= count;
    baton_reply *reply = baton_reply_new(task, BATON_ARRAY);
    if (reply == NULL || count == 0) return reply;
    reply->elements = (baton_reply **)calloc(count, sizeof *reply->elements);
    if (reply->elements == NULL) {
        if (task->parent == NULL) baton_reply_free(reply);
        return NULL;
    }
    reply->count = count;
    return reply;
}

static inline void *baton_create_integer(const redisReadTask *task, long long value) {
    baton_reply *reply = baton_reply_new(task, BATON_INTEGER);
    if (reply != NULL) reply->integer = value;
    return reply;
}

static inline void *baton_create_null(const redisReadTask *task) {
    return baton_reply_new(task, BATON_NULL);
}

#if HIREDIS_MAJOR >= 1
static inline void *baton_create_array(const redisReadTask *task, size_t count) {
    return baton_create_array_of(task, count);
}
/* RESP3 is never asked for; a peer that speaks it unasked gets its values read as the nearest of ours. */
static inline void *baton_create_double(const redisReadTask *task, double value, char *bytes, size_t length) {
    (void)value;
    return baton_create_string(task, bytes, length);
}
static inline void *baton_create_bool(const redisReadTask *task, int value) {
    return baton_create_integer(task, value);
}
#else
static inline void *baton_create_array(const redisReadTask *task, int count) {
    return baton_create_array_of(task, (size_t)count);
}
#endif

static inline void baton_reader_free(baton_reader *reader) {
    if (reader == NULL) return;
    if (reader->hiredis != NULL) redisReaderFree(reader->hiredis);
    free(reader);
}

/* NULL when there is no memory. */
static inline baton_reader *baton_reader_new(void) {
    static redisReplyObjectFunctions functions = {
        .createString = baton_create_string,
        .createArray = baton_create_array,
        .createInteger = baton_create_integer,
        .createNil = baton_create_null,
#if HIREDIS_MAJOR >= 1
        .createDouble = baton_create_double,
        .createBool = baton_create_bool,
#endif
        .freeObject = baton_reply_free,
    };
    baton_reader *reader = (baton_reader *)calloc(1, sizeof *reader);
    if (reader == NULL) return NULL;
    reader->elements_left = BATON_MAX_ELEMENTS_IN_ALL;
    reader->hiredis = redisReaderCreateWithFunctions(&functions);
    if (reader->hiredis == NULL) {
        baton_reader_free(reader);
        return NULL;
    }
    reader->hiredis->privdata = reader;
    /* Of an empty buffer no more than this is kept; it limits no reply. */
    reader->hiredis->maxbuf = 16 * 1024;
#ifdef REDIS_READER_MAX_ARRAY_ELEMENTS
    reader->hiredis->maxelements = BATON_MAX_ELEMENTS;
#endif
    return reader;
}

/* False when the reader is in error, or out of memory. */
static inline int baton_reader_feed(baton_reader *reader, const char *bytes, size_t length) {
    return redisReaderFeed(reader->hiredis, bytes, length) == REDIS_OK;
}

/* False on a protocol error; otherwise *reply is the next whole reply, or NULL when more bytes are needed. */
static inline int baton_reader_next(baton_reader *reader, baton_reply **reply) {
    void *object = NULL;
    int result = redisReaderGetReply(reader->hiredis, &object);
    *reply = (baton_reply *)object;
    if (result == REDIS_OK && object != NULL) reader->elements_left = BATON_MAX_ELEMENTS_IN_ALL;
    return result == REDIS_OK;
}

/* Bytes that were fed and are not parsed yet. */
static inline size_t baton_reader_unparsed(const baton_reader *reader) {
    return reader->hiredis->len - reader->hiredis->pos;
}

static inline const char *baton_reader_error(const baton_reader *reader) {
    return reader->refused ? "a reply with too many elements, or nested too deeply" : reader->hiredis->errstr;
}

/* The length of the command that was written to *target (freed with redisFreeCommand), or less than 0. */
static inline long long baton_format(char **target, int count, const char **arguments, const size_t *lengths) {
    return redisFormatCommandArgv(target, count, arguments, lengths);
}

#endif
