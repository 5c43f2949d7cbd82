/* SPDX-License-Identifier: ISC */
/* Bodies, read in pieces (they are written by queue_put_chunk). Works on any connection. */
#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H

#include "core/base/buf.h"
#include "store/store.h"

/* Append chunk seq to out. Returns 0, or E_NOTFOUND behind the last one. */
int spool_read(struct store *s, int64_t message_id, unsigned seq, struct buf *out, struct err *err);
/* Append the header, up to and with the empty line, at most max octets. */
int spool_read_header(struct store *s, int64_t message_id, size_t max, struct buf *out,
                      struct err *err);

#endif
