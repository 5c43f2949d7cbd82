/* SPDX-License-Identifier: ISC */
/* Bodies, read by chunk. They are written by queue.c, and deleted with the last final recipient. */
#include "store/spool.h"

#include "store/store_private.h"

static int read_chunk(struct store *s, int64_t message_id, unsigned seq, size_t max,
                      struct buf *out, struct err *err)
{
    sqlite3_stmt *st =
        seq == 0
            ? store_stmt(s, STMT_CHUNK_READ, "SELECT data FROM chunk WHERE message=?1", err)
            : store_stmt(s, STMT_MORE_READ,
                         "SELECT data FROM chunk_more WHERE message=?1 AND seq=?2", err);
    int rc;

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    if (seq > 0)
        bind_i(st, 2, seq);
    rc = store_next(s, st, err, "read a body");
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, E_NOTFOUND,
                       "the text is not in the store: it is kept only while a recipient waits");
    size_t n = (size_t)sqlite3_column_bytes(st, 0);
    const void *p = sqlite3_column_blob(st, 0);

    if (n > QUEUE_CHUNK_BYTES) {
        sqlite3_reset(st);
        return err_set(err, E_CORRUPT, "a piece of a body is larger than any that is written");
    }
    if (n && !p) { /* the blob could not be read from disk */
        rc = store_sql_err(s, sqlite3_errcode(s->db), err, "read a body");
        sqlite3_reset(st);
        return rc;
    }
    buf_add(out, p, n < max ? n : max);
    sqlite3_reset(st);
    return 0;
}

int spool_read(struct store *s, int64_t message_id, unsigned seq, struct buf *out, struct err *err)
{
    return read_chunk(s, message_id, seq, QUEUE_CHUNK_BYTES, out, err);
}

/* Octets up to and with the empty line, or SIZE_MAX; looking from 3 octets before from. */
static size_t header_end(const struct buf *b, size_t start, size_t from)
{
    size_t i = from > start + 3 ? from - 3 : start;

    if (b->n >= start + 2 && from == start && memcmp(b->p + start, "\r\n", 2) == 0)
        return start + 2;
    for (; i + 4 <= b->n; i++) {
        const char *p = memchr(b->p + i, '\r', b->n - i - 3);

        if (!p)
            break;
        i = (size_t)(p - b->p);
        if (memcmp(p, "\r\n\r\n", 4) == 0)
            return i + 4;
    }
    return SIZE_MAX;
}

int spool_read_header(struct store *s, int64_t message_id, size_t max, struct buf *out,
                      struct err *err)
{
    size_t start = out->n;

    for (unsigned seq = 0; out->n - start < max; seq++) {
        size_t from = out->n;
        int rc = read_chunk(s, message_id, seq, max - (out->n - start), out, err);
        size_t end;

        if (rc == -(int)E_NOTFOUND && seq > 0)
            break; /* a header without a body */
        if (rc)
            return rc;
        end = header_end(out, start, from);
        if (end != SIZE_MAX) {
            buf_truncate(out, end);
            break;
        }
    }
    return 0;
}

int spool_drop(struct store *s, int64_t message_id, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_CHUNK_DROP, "DELETE FROM chunk WHERE message=?1", err);
    sqlite3_stmt *more =
        store_stmt(s, STMT_MORE_DROP, "DELETE FROM chunk_more WHERE message=?1", err);
    int rc;

    if (!st || !more)
        return -(int)E_IO;
    bind_i(st, 1, message_id);
    bind_i(more, 1, message_id);
    rc = store_run(s, st, err, "drop a body");
    return rc ? rc : store_run(s, more, err, "drop a body");
}
