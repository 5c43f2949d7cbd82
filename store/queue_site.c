/* SPDX-License-Identifier: ISC */
/* What is known of sites that are in trouble, over a restart: few rows, since those that are well have
 * none. */
#include "store/store_private.h"

int queue_site_save(struct store *s, const struct queue_site *q, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_SITE_SAVE,
                                  "INSERT OR REPLACE INTO site(name, until, failed, slow, class,"
                                  " stage, scope, code, sys, dns, port, enhanced, text, host, ip)"
                                  " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
                                  " ?14, ?15)",
                                  err);
    const struct outcome *o = &q->why;

    if (!st)
        return -(int)E_IO;
    bind_z(st, 1, q->name);
    bind_i(st, 2, q->until_wall_ms);
    bind_i(st, 3, q->failed);
    bind_i(st, 4, q->slow);
    bind_i(st, 5, o->class);
    bind_i(st, 6, o->stage);
    bind_i(st, 7, o->scope);
    bind_i(st, 8, o->code);
    bind_i(st, 9, o->sys);
    bind_i(st, 10, o->dns);
    bind_i(st, 11, o->port);
    bind_z(st, 12, o->enhanced);
    bind_z(st, 13, o->text);
    bind_z(st, 14, o->host);
    bind_z(st, 15, o->ip);
    return store_run(s, st, err, "remember a site");
}

int queue_site_forget(struct store *s, const char *name, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_SITE_FORGET, "DELETE FROM site WHERE name=?1", err);

    if (!st)
        return -(int)E_IO;
    bind_z(st, 1, name);
    return store_run(s, st, err, "forget a site");
}

static int forget_old(struct store *s, int64_t since_wall_ms, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_SITE_EXPIRE, "DELETE FROM site WHERE until<=?1", err);

    if (!st)
        return -(int)E_IO;
    bind_i(st, 1, since_wall_ms);
    return store_run(s, st, err, "forget sites");
}

static void read_site(sqlite3_stmt *st, struct queue_site *q)
{
    struct outcome *o = &q->why;

    column_copy(st, 0, q->name, sizeof(q->name));
    q->until_wall_ms = sqlite3_column_int64(st, 1);
    q->failed = (unsigned)sqlite3_column_int(st, 2);
    q->slow = (unsigned)sqlite3_column_int(st, 3);
    outcome_init(o, (enum outcome_class)column_enum(st, 4, OUTCOME_CLASS_COUNT),
                 (enum stage)column_enum(st, 5, STAGE_COUNT));
    o->scope = (enum scope)column_enum(st, 6, SCOPE_COUNT);
    o->code = sqlite3_column_int(st, 7);
    o->sys = sqlite3_column_int(st, 8);
    o->dns = (enum dns_status)column_enum(st, 9, DNS_STATUS_COUNT);
    o->port = (uint16_t)sqlite3_column_int(st, 10);
    column_copy(st, 11, o->enhanced, sizeof(o->enhanced));
    column_copy(st, 12, o->text, sizeof(o->text));
    column_copy(st, 13, o->host, sizeof(o->host));
    column_copy(st, 14, o->ip, sizeof(o->ip));
}

int queue_sites(struct store *s, int64_t since_wall_ms, unsigned limit,
                void (*each)(void *arg, const struct queue_site *q), void *arg, struct err *err)
{
    sqlite3_stmt *st =
        store_stmt(s, STMT_SITES,
                   "SELECT name, until, failed, slow, class, stage, scope, code, sys,"
                   " dns, port, enhanced, text, host, ip FROM site"
                   " ORDER BY until DESC LIMIT ?1",
                   err);
    struct queue_site q;
    int rc = forget_old(s, since_wall_ms, err);

    if (rc || !st)
        return -(int)E_IO;
    bind_i(st, 1, limit);
    while ((rc = store_next(s, st, err, "read the sites in trouble")) > 0) {
        read_site(st, &q);
        each(arg, &q);
    }
    return rc;
}
