/* SPDX-License-Identifier: ISC */
/*
 * Rows become blocks. A block holds the oldest rows up to 64 KiB of text, but never reaches over
 * the next block: so blocks never overlap. A row that came late into the range of a block takes that block
 * apart again; its lines are packed anew with it.
 */
#include "store/daylog_private.h"

#include "core/base/alloc.h"
#include "store/store_private.h"

/* One statement, prepared and dropped: packing is rare work. */
static int run(struct day *day, const char *sql, int64_t a, int64_t b, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(day->db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK) {
        bind_i(st, 1, a);
        if (sqlite3_bind_parameter_count(st) > 1)
            bind_i(st, 2, b);
        rc = sqlite3_step(st);
    }
    rc = rc == SQLITE_DONE ? 0 : sql_err(day->db, rc, err, "pack the log");
    sqlite3_finalize(st);
    return rc;
}

struct packing {
    struct buf meta, data;
    int64_t first, last, n;
    uint64_t rows;
};

static void packing_done(struct packing *p)
{
    buf_done(&p->meta);
    buf_done(&p->data);
}

/* An entry's text: each of its lines gets a place of its own. */
static void pack_entry(struct packing *p, int64_t id, int64_t wall_ms, struct str text)
{
    do {
        struct str line = str_split(&text, '\n');
        struct dayfile_line l = {id, wall_ms, (uint32_t)p->data.n};

        dayfile_meta_put(&p->meta, &l);
        buf_add_str(&p->data, line);
        buf_add_c(&p->data, '\n');
        p->n++;
    } while (text.n);
    if (!p->rows)
        p->first = id;
    p->last = id;
    p->rows++;
}

static int gather(struct day *day, int64_t below, uint64_t max_rows, struct packing *p,
                  struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(
        day->db, "SELECT id, t, line FROM log WHERE id<?1 ORDER BY id LIMIT ?2", -1, &st, NULL);

    if (rc == SQLITE_OK) {
        bind_i(st, 1, below);
        bind_i(st, 2, (int64_t)max_rows);
        while (p->data.n < DAYFILE_BLOCK_BYTES && (rc = sqlite3_step(st)) == SQLITE_ROW)
            pack_entry(p, sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
                       column_str(st, 2));
    }
    rc = rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE
             ? 0
             : sql_err(day->db, rc, err, "pack the log");
    sqlite3_finalize(st);
    return rc;
}

static int put_block(struct day *day, const struct packing *p, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(
        day->db, "INSERT OR REPLACE INTO seg(id, last, n, meta, data) VALUES(?1, ?2, ?3, ?4, ?5)",
        -1, &st, NULL);

    if (rc == SQLITE_OK) {
        bind_i(st, 1, p->first);
        bind_i(st, 2, p->last);
        bind_i(st, 3, p->n);
        sqlite3_bind_blob64(st, 4, p->meta.p, p->meta.n, SQLITE_STATIC);
        sqlite3_bind_blob64(st, 5, p->data.p, p->data.n, SQLITE_STATIC);
        rc = sqlite3_step(st);
    }
    rc = rc == SQLITE_DONE ? 0 : sql_err(day->db, rc, err, "pack the log");
    sqlite3_finalize(st);
    return rc;
}

/* One number, or none; the query may have one parameter. */
static int64_t column_of(struct day *day, const char *sql, int64_t arg, int64_t none)
{
    sqlite3_stmt *st = NULL;
    int64_t v = none;

    if (sqlite3_prepare_v2(day->db, sql, -1, &st, NULL) == SQLITE_OK) {
        if (sqlite3_bind_parameter_count(st))
            bind_i(st, 1, arg);
        if (sqlite3_step(st) == SQLITE_ROW && sqlite3_column_type(st, 0) != SQLITE_NULL)
            v = sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    return v;
}

/* The block that covers id becomes rows. */
static int explode(struct day *day, int64_t id, struct err *err)
{
    struct dayfile_block b = {0};
    struct buf text = BUF_INIT;
    int64_t first = 0;
    int rc = 0;

    bind_i(day->has_block, 1, id);
    if (sqlite3_step(day->has_block) == SQLITE_ROW)
        first = sqlite3_column_int64(day->has_block, 0);
    if (!first || !dayfile_block_read(day->has_block, &b) || b.last < id) {
        sqlite3_reset(day->has_block);
        return 0;
    }
    for (size_t i = 0; !rc && i < b.n;) {
        struct dayfile_line l = dayfile_meta_get(b.meta, i);

        buf_clear(&text);
        buf_add_str(&text, dayfile_block_line(&b, i));
        for (i++; i < b.n && dayfile_meta_get(b.meta, i).id == l.id; i++) {
            buf_add_c(&text, '\n');
            buf_add_str(&text, dayfile_block_line(&b, i));
        }
        bind_i(day->insert, 1, l.id);
        bind_i(day->insert, 2, l.wall_ms);
        sqlite3_bind_text(day->insert, 3, text.n ? text.p : "", (int)text.n, SQLITE_STATIC);
        rc = sqlite3_step(day->insert);
        rc = rc == SQLITE_DONE ? 0 : sql_err(day->db, rc, err, "unpack the log");
        day->rows += rc ? 0 : (uint64_t)sqlite3_changes(day->db);
        sqlite3_reset(day->insert);
    }
    sqlite3_reset(day->has_block);
    buf_done(&text);
    return rc ? rc : run(day, "DELETE FROM seg WHERE id=?1", first, 0, err);
}

static int pack_block(struct day *day, uint64_t keep, struct err *err)
{
    struct packing p CLEANUP(packing_done) = {0};
    int64_t lowest = column_of(day, "SELECT min(id) FROM log", 0, 0);
    int64_t below = INT64_MAX;
    int rc = 0;

    if (lowest <= day->packed_to) {
        rc = explode(day, lowest, err);
        lowest = column_of(day, "SELECT min(id) FROM log", 0, 0);
        below =
            column_of(day, "SELECT id FROM seg WHERE id>?1 ORDER BY id LIMIT 1", lowest, INT64_MAX);
    }
    if (!rc)
        rc = gather(day, below, day->rows > keep ? day->rows - keep : 0, &p, err);
    if (rc || !p.rows)
        return rc;
    rc = put_block(day, &p, err);
    if (!rc)
        rc = run(day, "DELETE FROM log WHERE id BETWEEN ?1 AND ?2", p.first, p.last, err);
    if (rc)
        return rc;
    day->rows -= p.rows;
    if (p.last > day->packed_to)
        day->packed_to = p.last;
    return 0;
}

int day_pack(struct day *day, unsigned max, uint64_t keep, bool *more, struct err *err)
{
    uint64_t rows = day->rows;
    int64_t packed_to = day->packed_to;
    int rc = sql_exec(day->db, "BEGIN IMMEDIATE", err, "pack the log");

    for (unsigned i = 0; !rc && i < max && day->rows > keep; i++)
        rc = pack_block(day, keep, err);
    if (!rc)
        rc = sql_exec(day->db, "COMMIT", err, "pack the log");
    if (rc) {
        if (!sqlite3_get_autocommit(day->db))
            sqlite3_exec(day->db, "ROLLBACK", NULL, NULL, NULL);
        day->rows = rows;
        day->packed_to = packed_to;
    }
    *more = !rc && day->rows > keep;
    return rc;
}
