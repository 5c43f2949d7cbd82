/* SPDX-License-Identifier: ISC */
/*
 * Lines are gathered while a transaction of the queue runs, and written behind its commit, without
 * a sync of their own: synchronous=NORMAL loses the newest lines when the power goes, never the
 * order, and queue_recover writes those of attempts again.
 */
#include "store/daylog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "store/store_private.h"

#define GATHERED_BYTES_MAX (32u << 20)
#define PACK_ABOVE         8000 /* rows: below, the newest are scanned as they are */
#define PACK_KEEP          4000
#define PACK_BLOCKS        8 /* a call: some 5 ms */

/* --- one file --- */

void day_close(struct day *day)
{
    sqlite3_finalize(day->begin);
    sqlite3_finalize(day->commit);
    sqlite3_finalize(day->insert);
    sqlite3_finalize(day->has_row);
    sqlite3_finalize(day->has_block);
    sqlite3_close(day->db);
    *day = (struct day){0};
}

static int prepare(struct day *day, const char *sql, sqlite3_stmt **out, struct err *err)
{
    int rc = sqlite3_prepare_v3(day->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

    return rc == SQLITE_OK ? 0 : sql_err(day->db, rc, err, day->name);
}

static int check_version(struct day *day, struct err *err)
{
    int64_t version = 0, app = 0;
    int rc = sql_number(day->db, "PRAGMA user_version", &version, err, day->name);

    if (!rc)
        rc = sql_number(day->db, "PRAGMA application_id", &app, err, day->name);
    if (rc)
        return rc;
    if (version > DAYFILE_SCHEMA || (version && app != DAYFILE_APPLICATION_ID))
        return err_set(err, E_SCHEMA, "the log %s is of schema %lld, this program knows up to %d",
                       day->name, (long long)version, DAYFILE_SCHEMA);
    if (version == DAYFILE_SCHEMA)
        return 0;
    return sql_exec(day->db,
                    "BEGIN IMMEDIATE;"
                    "CREATE TABLE IF NOT EXISTS log("
                    " id INTEGER PRIMARY KEY, t INTEGER NOT NULL, line TEXT NOT NULL);"
                    "CREATE TABLE IF NOT EXISTS seg("
                    " id INTEGER PRIMARY KEY, last INTEGER NOT NULL, n INTEGER NOT NULL,"
                    " meta BLOB NOT NULL, data BLOB NOT NULL);"
                    "PRAGMA application_id=1296387121; PRAGMA user_version=1; COMMIT",
                    err, day->name);
}

_Static_assert(DAYFILE_APPLICATION_ID == 1296387121, "as written above");

static int set_up(struct day *day, struct err *err)
{
    int persist = 1;
    int64_t rows = 0;
    int rc = sql_harden(day->db, err);

    sqlite3_busy_timeout(day->db, 5000);
    if (!rc)
        rc = sql_exec(day->db,
                      "PRAGMA page_size=4096; PRAGMA auto_vacuum=NONE; PRAGMA journal_mode=WAL;"
                      "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-2048; PRAGMA mmap_size=0;"
                      "PRAGMA journal_size_limit=16777216; PRAGMA wal_autocheckpoint=2000",
                      err, day->name);
    if (rc)
        return rc;
    sqlite3_file_control(day->db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    rc = check_version(day, err);
    if (!rc)
        rc = sql_number(day->db, "SELECT last FROM seg ORDER BY id DESC LIMIT 1", &day->packed_to,
                        err, day->name);
    if (!rc)
        rc = sql_number(day->db, "SELECT count(*) FROM log", &rows, err, day->name);
    day->rows = (uint64_t)rows;
    if (!rc)
        rc = prepare(day, "BEGIN IMMEDIATE", &day->begin, err);
    if (!rc)
        rc = prepare(day, "COMMIT", &day->commit, err);
    if (!rc)
        rc = prepare(day, "INSERT OR IGNORE INTO log(id, t, line) VALUES(?1, ?2, ?3)", &day->insert,
                     err);
    if (!rc)
        rc = prepare(day, "SELECT 1 FROM log WHERE id=?1", &day->has_row, err);
    if (!rc)
        rc = prepare(
            day, "SELECT id, last, n, meta, data FROM seg WHERE id<=?1 ORDER BY id DESC LIMIT 1",
            &day->has_block, err);
    return rc;
}

int day_open(struct day *day, const char *dir, const char *name, struct err *err)
{
    char *path = xasprintf("%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    int rc;

    if (fd < 0) {
        rc = err_sys(err,
                     errno == EACCES   ? E_DENIED
                     : errno == ENOSPC ? E_FULL
                                       : E_IO,
                     errno, "open %s", path);
        free(path);
        return rc;
    }
    close(fd);
    snprintf(day->name, sizeof(day->name), "%s", name);
    rc = sqlite3_open_v2(path, &day->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    rc = rc == SQLITE_OK ? set_up(day, err) : sql_err(day->db, rc, err, name);
    if (rc) {
        err_while(err, "%s", path);
        day_close(day);
    }
    free(path);
    return rc;
}

/* --- the log --- */

int daylog_open(const char *dir, struct daylog **out, struct err *err)
{
    struct daylog *d = xnew(struct daylog);
    char(*names)[DAYFILE_NAME_MAX] = NULL;
    size_t n = 0;
    int rc;

    d->dir = xstrdup(dir);
    rc = dayfile_list(dir, &names, &n, err);
    if (!rc && n >= 1)
        rc = day_open(&d->today, dir, names[n - 1], err);
    free(names);
    if (rc) {
        daylog_close(d);
        return rc;
    }
    *out = d;
    return 0;
}

void daylog_close(struct daylog *d)
{
    if (!d)
        return;
    day_close(&d->today);
    day_close(&d->past);
    buf_done(&d->text);
    free(d->a);
    free(d->dir);
    free(d);
}

void daylog_add(struct daylog *d, int64_t id, int64_t wall_ms, struct str line)
{
    if (d->text.n + line.n > GATHERED_BYTES_MAX)
        return;
    if (d->n == d->cap) {
        d->cap = d->cap ? d->cap * 2 : 256;
        d->a = xreallocarray(d->a, d->cap, sizeof(*d->a));
    }
    d->a[d->n++] = (struct gathered){id, wall_ms, d->text.n, line.n};
    buf_add_str(&d->text, line);
}

size_t daylog_gathered(const struct daylog *d)
{
    return d->n;
}

void daylog_forget(struct daylog *d, size_t n)
{
    if (n >= d->n)
        return;
    buf_truncate(&d->text, d->a[n].at);
    d->n = n;
}

/* The file of a name is the open one, or becomes it; the one before waits to be packed. */
static int switch_day(struct daylog *d, const char *name, struct err *err)
{
    struct day next = {0};
    int rc;

    if (strcmp(d->today.name, name) == 0)
        return 0;
    rc = day_open(&next, d->dir, name, err);
    if (rc)
        return rc;
    day_close(&d->past);
    d->past = d->today;
    d->today = next;
    return 0;
}

static bool block_has(struct day *day, int64_t id)
{
    struct dayfile_block b;
    bool is_there = false;

    if (id > day->packed_to)
        return false;
    bind_i(day->has_block, 1, id);
    if (sqlite3_step(day->has_block) == SQLITE_ROW && dayfile_block_read(day->has_block, &b) &&
        b.last >= id) {
        size_t i = dayfile_block_seek(&b, id);

        is_there = i < b.n && dayfile_meta_get(b.meta, i).id == id;
    }
    sqlite3_reset(day->has_block);
    return is_there;
}

static int insert(struct day *day, const struct gathered *g, const char *text, struct err *err)
{
    int rc;

    if (block_has(day, g->id))
        return 0;
    bind_i(day->insert, 1, g->id);
    bind_i(day->insert, 2, g->wall_ms);
    sqlite3_bind_text(day->insert, 3, g->n ? text + g->at : "", (int)g->n, SQLITE_STATIC);
    rc = sqlite3_step(day->insert);
    if (rc == SQLITE_DONE) {
        day->rows += (uint64_t)sqlite3_changes(day->db);
        rc = 0;
    } else {
        rc = sql_err(day->db, rc, err, "write the log");
    }
    sqlite3_reset(day->insert);
    return rc;
}

static int step(struct day *day, sqlite3_stmt *st, struct err *err, const char *doing)
{
    int rc = sqlite3_step(st);

    rc = rc == SQLITE_DONE ? 0 : sql_err(day->db, rc, err, doing);
    sqlite3_reset(st);
    return rc;
}

/* Entries from..to are of the open day. */
static int write_day(struct daylog *d, size_t from, size_t to, struct err *err)
{
    struct day *day = &d->today;
    uint64_t rows = day->rows;
    int rc = step(day, day->begin, err, "begin to write the log");

    for (size_t i = from; !rc && i < to; i++)
        rc = insert(day, &d->a[i], d->text.p, err);
    if (!rc)
        rc = step(day, day->commit, err, "commit the log");
    if (rc) {
        if (!sqlite3_get_autocommit(day->db))
            sqlite3_exec(day->db, "ROLLBACK", NULL, NULL, NULL);
        day->rows = rows;
    }
    return rc;
}

static void drop_first(struct daylog *d, size_t n)
{
    size_t at = n < d->n ? d->a[n].at : d->text.n;

    buf_drop(&d->text, at);
    memmove(d->a, d->a + n, (d->n - n) * sizeof(*d->a));
    d->n -= n;
    for (size_t i = 0; i < d->n; i++)
        d->a[i].at -= at;
}

int daylog_flush(struct daylog *d, struct err *err)
{
    while (d->n) {
        char name[DAYFILE_NAME_MAX], other[DAYFILE_NAME_MAX];
        size_t to = 1;
        int rc;

        dayfile_name(d->a[0].id, name);
        while (to < d->n && (dayfile_name(d->a[to].id, other), strcmp(name, other) == 0))
            to++;
        rc = switch_day(d, name, err);
        if (!rc)
            rc = write_day(d, 0, to, err);
        if (rc)
            return err_while(err, "%s", d->dir);
        drop_first(d, to);
    }
    return 0;
}

bool daylog_has(struct daylog *d, int64_t id)
{
    struct day other = {0}, *day = &d->today;
    char name[DAYFILE_NAME_MAX];
    bool is_there;

    dayfile_name(id, name);
    if (strcmp(d->today.name, name) != 0) {
        char *path = xasprintf("%s/%s", d->dir, name);
        bool is_file = access(path, F_OK) == 0;

        free(path);
        if (!is_file || day_open(&other, d->dir, name, NULL))
            return false;
        day = &other;
    }
    bind_i(day->has_row, 1, id);
    is_there = sqlite3_step(day->has_row) == SQLITE_ROW || block_has(day, id);
    sqlite3_reset(day->has_row);
    day_close(&other);
    return is_there;
}

bool daylog_pack(struct daylog *d, struct err *err)
{
    bool more = false;

    if (d->past.name[0]) {
        /* nothing is added to a past day any more: all of it, then it is closed */
        if (day_pack(&d->past, PACK_BLOCKS, 0, &more, err) || !more)
            day_close(&d->past);
        return true;
    }
    if (d->today.name[0] && d->today.rows > PACK_ABOVE &&
        day_pack(&d->today, PACK_BLOCKS, PACK_KEEP, &more, err))
        return false;
    return more;
}

int daylog_purge(struct daylog *d, int64_t before_wall_ms, struct err *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char(*names)[DAYFILE_NAME_MAX] = NULL, first[DAYFILE_NAME_MAX];
    size_t n = 0;
    int rc = dayfile_list(d->dir, &names, &n, err);

    dayfile_name(id_floor(before_wall_ms), first);
    for (size_t i = 0; !rc && i < n && strcmp(names[i], first) < 0; i++) {
        if (strcmp(d->today.name, names[i]) == 0)
            day_close(&d->today);
        if (strcmp(d->past.name, names[i]) == 0)
            day_close(&d->past);
        for (size_t k = 0; k < ARRAY_LEN(suffixes); k++) {
            char *path = xasprintf("%s/%s%s", d->dir, names[i], suffixes[k]);

            if (unlink(path) < 0 && errno != ENOENT)
                rc = err_sys(err, E_IO, errno, "remove %s", path);
            free(path);
        }
    }
    free(names);
    return rc;
}

static int64_t last_of(struct day *day)
{
    int64_t id = 0;

    if (sql_number(day->db, "SELECT max(id) FROM log", &id, NULL, ""))
        return day->packed_to;
    return id > day->packed_to ? id : day->packed_to;
}

int64_t daylog_last_id(struct daylog *d)
{
    char(*names)[DAYFILE_NAME_MAX] = NULL;
    int64_t best = d->today.name[0] ? last_of(&d->today) : 0;
    size_t n = 0;

    if (dayfile_list(d->dir, &names, &n, NULL))
        return best;
    for (size_t i = n; i > 0 && n - i < 2; i--) {
        struct day day = {0};
        int64_t id;

        if (strcmp(names[i - 1], d->today.name) == 0 || day_open(&day, d->dir, names[i - 1], NULL))
            continue;
        id = last_of(&day);
        best = id > best ? id : best;
        day_close(&day);
    }
    free(names);
    return best;
}
