/* SPDX-License-Identifier: ISC */
/* Day files, open for reading: the few that were used last stay open, mapped. */
#include "store/view_private.h"

#include <sys/stat.h>

#include "core/base/alloc.h"

static void day_close(struct view_day *d)
{
    sqlite3_finalize(d->rows_back);
    sqlite3_finalize(d->rows_on);
    sqlite3_finalize(d->block_back);
    sqlite3_finalize(d->block_on);
    sqlite3_close(d->db);
    *d = (struct view_day){0};
}

void view_days_close(struct view *v)
{
    for (size_t i = 0; i < VIEW_DAYS_OPEN; i++)
        day_close(&v->days[i]);
}

static int prepare(struct view_day *d, const char *sql, sqlite3_stmt **out, struct err *err)
{
    int rc = sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

    return rc == SQLITE_OK ? 0 : sql_err(d->db, rc, err, d->name);
}

static int day_prepare(struct view_day *d, struct err *err)
{
    int rc =
        prepare(d, "SELECT id, t, line FROM log WHERE id>=?1 AND id<=?2 ORDER BY id DESC LIMIT ?3",
                &d->rows_back, err);

    if (!rc)
        rc = prepare(d, "SELECT id, t, line FROM log WHERE id>=?1 AND id<=?2 ORDER BY id LIMIT ?3",
                     &d->rows_on, err);
    /* the block that begins before ?1, and the first that begins at or behind it */
    if (!rc)
        rc = prepare(d,
                     "SELECT id, last, n, meta, data FROM seg WHERE id<?1 ORDER BY id DESC LIMIT 1",
                     &d->block_back, err);
    if (!rc)
        rc = prepare(d, "SELECT id, last, n, meta, data FROM seg WHERE id>=?1 ORDER BY id LIMIT 1",
                     &d->block_on, err);
    return rc;
}

static int day_open(struct view_day *d, const char *dir, const char *name, struct err *err)
{
    char *path = xasprintf("%s/%s", dir, name);
    int64_t version = 0;
    int rc;

    snprintf(d->name, sizeof(d->name), "%s", name);
    rc = sqlite3_open_v2(path, &d->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    rc = rc == SQLITE_OK ? sql_harden(d->db, err) : sql_err(d->db, rc, err, name);
    if (!rc) {
        sqlite3_busy_timeout(d->db, 250);
        rc = sql_exec(d->db,
                      "PRAGMA query_only=1; PRAGMA cache_size=-1024;"
                      "PRAGMA mmap_size=68719476736",
                      err, name);
    }
    if (!rc)
        rc = sql_number(d->db, "PRAGMA user_version", &version, err, name);
    if (!rc && version > DAYFILE_SCHEMA)
        rc = err_set(err, E_SCHEMA, "the log %s is of schema %lld, this program knows up to %d",
                     path, (long long)version, DAYFILE_SCHEMA);
    if (!rc && version == 0)
        rc = -(int)E_NOTFOUND; /* made this moment, still without its tables */
    if (!rc)
        rc = day_prepare(d, err);
    if (rc)
        day_close(d);
    free(path);
    return rc;
}

int view_day_get(struct view *v, const char *name, struct view_day **out, struct err *err)
{
    struct view_day *d = &v->days[0];
    char *path = xasprintf("%s/%s", store_dir(v->s), name);
    struct stat file;
    bool is_file = stat(path, &file) == 0;
    int rc;

    free(path);
    *out = NULL;
    for (size_t i = 0; i < VIEW_DAYS_OPEN; i++) {
        if (strcmp(v->days[i].name, name) == 0) {
            d = &v->days[i];
            break;
        }
        if (v->days[i].used < d->used)
            d = &v->days[i];
    }
    /* a file of that name may be another one by now */
    if (strcmp(d->name, name) != 0 || !is_file || d->inode != file.st_ino) {
        day_close(d);
        if (!is_file)
            return 0; /* retention took it */
        rc = day_open(d, store_dir(v->s), name, err);
        if (rc)
            return rc == -(int)E_NOTFOUND ? 0 : rc;
        d->inode = file.st_ino;
    }
    d->used = ++v->days_used;
    *out = d;
    return 0;
}
