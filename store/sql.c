/* SPDX-License-Identifier: ISC */
/*
 * The one place where SQLite's results become ours, and where statements are prepared, stepped and
 * read. It does not know any table.
 */
#include "store/store_private.h"

#include <errno.h>

static enum err_code code_of(sqlite3 *db, int rc)
{
    int sys = db ? sqlite3_system_errno(db) : 0;

    switch (rc & 0xff) {
    case SQLITE_FULL: return E_FULL;
    case SQLITE_IOERR: return sys == ENOSPC || sys == EDQUOT ? E_FULL : E_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return E_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return E_BUSY;
    case SQLITE_INTERRUPT:
    case SQLITE_CONSTRAINT: return E_STATE;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY: return E_DENIED;
    case SQLITE_CANTOPEN: return sys == EACCES || sys == EPERM ? E_DENIED : E_IO;
    default: return E_IO;
    }
}

int sql_err(sqlite3 *db, int rc, struct err *err, const char *doing)
{
    int sys = db ? sqlite3_system_errno(db) : 0;

    if ((rc & 0xff) == SQLITE_INTERRUPT)
        return err_set(err, E_STATE, "%s: interrupted", doing);
    if (sys && ((rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN))
        return err_sys(err, code_of(db, rc), sys, "%s: %s", doing, sqlite3_errstr(rc));
    return err_set(err, code_of(db, rc), "%s: %s", doing,
                   db && sqlite3_errcode(db) == (rc & 0xff) ? sqlite3_errmsg(db)
                                                            : sqlite3_errstr(rc));
}

int store_sql_err(struct store *s, int rc, struct err *err, const char *doing)
{
    int r = sql_err(s->db, rc, err, doing);

    err_while(err, "store %s", s->dir);
    return r;
}

sqlite3_stmt *store_stmt(struct store *s, enum store_stmt which, const char *sql, struct err *err)
{
    sqlite3_stmt *st = s->stmt[which];
    int rc;

    if (st)
        return st;
    rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
    if (rc != SQLITE_OK) {
        store_sql_err(s, rc, err, "prepare");
        return NULL;
    }
    return s->stmt[which] = st;
}

int store_run(struct store *s, sqlite3_stmt *st, struct err *err, const char *doing)
{
    int rc;

    if (s->fail_left && --s->fail_left == 0) {
        s->fail_left = 1; /* and every later one, until store_fail_after(s, 0, ...) */
        rc = s->is_fail_full ? SQLITE_FULL : SQLITE_IOERR;
    } else {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            rc = SQLITE_DONE;
    }
    if (rc == SQLITE_DONE) {
        sqlite3_reset(st);
        return 0;
    }
    rc = store_sql_err(s, rc, err, doing);
    sqlite3_reset(st);
    return rc;
}

int store_next(struct store *s, sqlite3_stmt *st, struct err *err, const char *doing)
{
    int rc = sqlite3_step(st);

    if (rc == SQLITE_ROW)
        return 1;
    rc = rc == SQLITE_DONE ? 0 : store_sql_err(s, rc, err, doing);
    sqlite3_reset(st);
    return rc;
}

int sql_exec(sqlite3 *db, const char *sql, struct err *err, const char *doing)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : sql_err(db, rc, err, doing);
}

int sql_number(sqlite3 *db, const char *sql, int64_t *out, struct err *err, const char *doing)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            *out = sqlite3_column_int64(st, 0);
    }
    rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : sql_err(db, rc, err, doing);
    sqlite3_finalize(st);
    return rc;
}

int sql_harden(sqlite3 *db, struct err *err)
{
    sqlite3_extended_result_codes(db, 1);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    return sql_exec(db,
                    "PRAGMA trusted_schema=off; PRAGMA temp_store=MEMORY; PRAGMA secure_delete=OFF;"
                    "PRAGMA foreign_keys=OFF",
                    err, "set up the connection");
}

struct str column_str(sqlite3_stmt *st, int i)
{
    /* text first, then bytes: the order in which SQLite guarantees the length */
    const char *p = (const char *)sqlite3_column_text(st, i);
    int n = sqlite3_column_bytes(st, i);

    return p && n > 0 ? (struct str){p, (size_t)n} : STR_NONE;
}

void column_copy(sqlite3_stmt *st, int i, char *out, size_t size)
{
    str_copy(column_str(st, i), out, size);
}

int column_enum(sqlite3_stmt *st, int i, int count)
{
    int v = sqlite3_column_int(st, i);

    return v >= 0 && v < count ? v : 0;
}
