/* SPDX-License-Identifier: ISC */
/*
 * Content on its way out: dot stuffing (RFC 5321 4.5.2) or chunks (RFC 3030), the last block that
 * waits for the mark, the end of data. Each octet is copied once, by runs: only dots are looked at,
 * since only a dot behind a line's end needs another.
 */
#include "core/smtp/client_private.h"

/* Chunks save the stuffing and cannot be smuggled through, but cost a reply each: for large mail only
 * (engine.md 2.4). Without PIPELINING each would have to wait for the one before. */
#define CHUNKS_FROM (1024u * 1024)

bool txn_wants_chunks(const struct smtp_client *s, const struct smtp_txn *x)
{
    const unsigned needs = SMTP_EXT_CHUNKING | SMTP_EXT_PIPELINING;

    return (s->extensions & needs) == needs && x->size_bytes > CHUNKS_FROM;
}

void txn_body_start(struct smtp_client *s, struct client_txn *t)
{
    t->state = TXN_BODY;
    t->is_body_asked = false;
    s->is_stuff_start = true;
    s->is_stuff_cr = false;
}

/* Does the octet at p begin a line? The two octets before it may be in the piece before. */
static bool begins_line(const struct smtp_client *s, struct str piece, const char *p)
{
    if (p == piece.p)
        return s->is_stuff_start;
    if (p[-1] != '\n')
        return false;
    return p - 1 == piece.p ? s->is_stuff_cr : p[-2] == '\r';
}

static void remember_end(struct smtp_client *s, struct str piece)
{
    const char *end = piece.p + piece.n;

    s->is_stuff_start = begins_line(s, piece, end);
    s->is_stuff_cr = end[-1] == '\r';
}

static void add_stuffed(struct smtp_client *s, struct str piece)
{
    const char *run = piece.p, *p = piece.p, *end = piece.p + piece.n;

    if (piece.n == 0)
        return;
    buf_reserve(&s->out.b, piece.n + 64);
    while ((p = memchr(p, '.', (size_t)(end - p)))) {
        if (begins_line(s, piece, p)) {
            wire_add(&s->out, (struct str){run, (size_t)(p - run)});
            wire_add(&s->out, STR("."));
            run = p;
        }
        if (++p == end)
            break;
    }
    wire_add(&s->out, (struct str){run, (size_t)(end - run)});
    remember_end(s, piece);
}

/* The last block is in the output already, behind hold_from: releasing it is one comparison, and what
 * a second transaction adds stands behind it. */
static void hold_last(struct smtp_client *s, struct client_txn *t, struct str last)
{
    t->last_block = s->hold_from = s->out.queued;
    add_stuffed(s, last);
    if (!s->is_stuff_start)
        wire_add(&s->out, STR("\r\n"));
    wire_add(&s->out, STR(".\r\n"));
    t->end = s->out.queued;
    t->state = TXN_HELD;
}

static void add_chunk(struct smtp_client *s, struct str octets, bool is_last)
{
    char command[40];
    int n = snprintf(command, sizeof(command), "BDAT %zu%s", octets.n, is_last ? " LAST" : "");

    client_send(s, (struct str){command, (size_t)n}, NULL);
    wire_add(&s->out, octets);
}

static void give_chunks(struct smtp_client *s, struct client_txn *t, struct str bytes, size_t held,
                        bool is_last)
{
    struct str now = str_sub(bytes, 0, bytes.n - held);

    if (now.n) {
        add_chunk(s, now, false);
        t->chunk_ends[t->chunks++ % CLIENT_CHUNKS_MAX] = s->out.queued;
    }
    if (!is_last)
        return;
    t->last_block = s->hold_from = s->out.queued;
    add_chunk(s, str_sub(bytes, now.n, bytes.n), true);
    t->end = s->out.queued;
    t->state = TXN_HELD;
}

void txn_stop_chunks(struct smtp_client *s, struct client_txn *t)
{
    if (t->state != TXN_HELD)
        return;
    /* Nothing stands behind the held chunk: no second transaction begins behind one in chunks. */
    size_t held = (size_t)(s->out.queued - t->last_block);
    buf_truncate(&s->out.b, s->out.b.n - held);
    s->out.queued -= held;
    s->hold_from = UINT64_MAX;
    t->state = TXN_BODY;
}

void txn_body(struct smtp_client *s, struct client_txn *t, struct str bytes, bool is_last)
{
    size_t held = !is_last ? 0 : bytes.n < CLIENT_BLOCK_MAX ? bytes.n : CLIENT_BLOCK_MAX;
    bool was_empty = wire_unsent(&s->out) == 0;

    t->is_body_asked = false;
    if (t->is_bdat) {
        give_chunks(s, t, bytes, held, is_last);
    } else {
        add_stuffed(s, str_sub(bytes, 0, bytes.n - held));
        if (is_last)
            hold_last(s, t, str_sub(bytes, bytes.n - held, bytes.n));
    }
    if (was_empty)
        s->progress_mono_ms = s->now_mono_ms;
    if (s->trace) {
        char note[64];
        int n =
            snprintf(note, sizeof(note), "[%zu octets of content]%s", bytes.n, is_last ? " ." : "");
        client_trace(s, '>', (struct str){note, (size_t)n});
    }
}

void txn_release(struct smtp_client *s, struct client_txn *t)
{
    s->hold_from = UINT64_MAX;
    s->progress_mono_ms = s->now_mono_ms;
    t->state = TXN_EOD;
}
