/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BATON_CHIREDIS_SHIM_H
#define BATON_CHIREDIS_SHIM_H

#include <hiredis/hiredis.h>

/* `errstr` is a char array, which Swift sees as a tuple of 128 elements. */
static inline const char *baton_reader_error(const redisReader *reader) {
    return reader->errstr;
}

#endif
