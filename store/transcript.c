/* SPDX-License-Identifier: ISC */
/*
 * Transcripts of attempts, deflated: lines of one dialogue are alike. The recipients of one
 * transaction have one transcript, kept with the first attempt that was recorded of it; the others
 * name that attempt.
 *
 * A blob is the length of the text, four octets, most significant first, and a zlib stream.
 */
#include <zlib.h>

#include "core/base/alloc.h"
#include "core/mail/transcript.h"
#include "store/store_private.h"
#include "store/view_private.h"

#define LENGTH_OCTETS 4
#define LEVEL         3 /* more costs twice the time for a tenth of the size */

void transcript_pack(struct str text, struct buf *out)
{
    uLongf n = compressBound(text.n);
    unsigned char length[LENGTH_OCTETS] = {(unsigned char)(text.n >> 24),
                                           (unsigned char)(text.n >> 16),
                                           (unsigned char)(text.n >> 8), (unsigned char)text.n};

    buf_add(out, length, sizeof(length));
    buf_reserve(out, n);
    if (compress2((Bytef *)out->p + out->n, &n, (const Bytef *)text.p, text.n, LEVEL) == Z_OK)
        out->n += n;
    else
        buf_clear(out); /* no memory: a transcript is not worth an abort */
}

bool transcript_unpack(struct str blob, struct buf *out)
{
    const unsigned char *p = (const unsigned char *)blob.p;

    if (blob.n <= LENGTH_OCTETS)
        return false;
    size_t want = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    uLongf n = want;
    if (want > TRANSCRIPT_MAX)
        return false;
    buf_reserve(out, want);
    if (uncompress((Bytef *)out->p + out->n, &n, p + LENGTH_OCTETS, blob.n - LENGTH_OCTETS) !=
            Z_OK ||
        n != want)
        return false;
    out->n += n;
    out->p[out->n] = '\0';
    return true;
}

/* 1 with the text, 0 when there is none here; *told is the attempt that has it. */
static int read_one(struct store *s, int64_t attempt_id, struct buf *out, int64_t *told,
                    struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_TRANSCRIPT, "SELECT transcript, told FROM attempt WHERE id=?1", err);
    int rc;

    *told = 0;
    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, attempt_id);
    rc = store_next(s, st, err, "read a transcript");
    if (rc <= 0)
        return rc;
    struct str blob = {sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0)};
    *told = sqlite3_column_int64(st, 1);
    if (blob.n && !transcript_unpack(blob, out))
        rc = err_set(err, E_CORRUPT, "the transcript of an attempt is damaged");
    else
        rc = blob.n > 0;
    sqlite3_reset(st);
    return rc;
}

int view_transcript(struct view *v, int64_t attempt_id, struct buf *out, struct err *err)
{
    int64_t told = 0, unused;
    int rc = view_begin(v, err);

    if (!rc)
        rc = read_one(v->s, attempt_id, out, &told, err);
    if (rc == 0 && told)
        rc = read_one(v->s, told, out, &unused, err);
    view_end(v);
    if (rc == 0)
        return err_set(err, E_NOTFOUND, "no transcript of that try is kept");
    return rc < 0 ? rc : 0;
}
