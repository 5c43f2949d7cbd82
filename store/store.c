/* SPDX-License-Identifier: ISC */
/*
 * The queue's file: opening, locking, transactions, checkpoints. What is in it: migrate.c; what may
 * be done with it: queue.h. This file never waits for a reader, and makes no threads.
 */
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "store/where.h"

const char *store_dir(const struct store *s)
{
    return s->dir;
}

/* --- opening --- */

static int lock_dir(struct store *s, struct err *err)
{
    char *path = xasprintf("%s/engine.lock", s->dir);
    char pid[24] = "";
    int rc = 0;

    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (s->lock_fd < 0) {
        rc = err_sys(err,
                     errno == EACCES   ? E_DENIED
                     : errno == ENOSPC ? E_FULL
                                       : E_IO,
                     errno, "open %s", path);
    } else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t n = pread(s->lock_fd, pid, sizeof(pid) - 1, 0);

        pid[n > 0 ? n : 0] = '\0';
        pid[strspn(pid, "0123456789")] = '\0';
        rc = err_set(err, E_BUSY, "another engine (pid %s) has this store open: %s",
                     pid[0] ? pid : "unknown", s->dir);
    } else {
        int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

        /* the pid only serves the sentence above: a disk that is full must not keep us from starting */
        if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n)
            errno = 0;
    }
    free(path);
    return rc;
}

/* SQLite gives the files beside it (-wal, -shm) the mode of the database. */
static int make_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

    if (fd < 0)
        return err_sys(err,
                       errno == EACCES   ? E_DENIED
                       : errno == ENOSPC ? E_FULL
                                         : E_IO,
                       errno, "open %s", path);
    if (fchmod(fd, 0640) < 0 && errno != EPERM) {
        int sys = errno;

        close(fd);
        return err_sys(err, E_IO, sys, "set the mode of %s", path);
    }
    close(fd);
    return 0;
}

static int on_wal(void *arg, sqlite3 *db UNUSED, const char *name UNUSED, int pages)
{
    ((struct store *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

static int open_writer(struct store *s, const char *path, struct err *err)
{
    int persist = 1;
    int rc;

    if (mkdir(s->dir, 0750) < 0 && errno != EEXIST)
        return err_sys(err,
                       errno == EACCES   ? E_DENIED
                       : errno == ENOSPC ? E_FULL
                                         : E_IO,
                       errno, "make the store's directory %s", s->dir);
    rc = lock_dir(s, err);
    if (!rc)
        rc = make_file(path, err);
    if (rc)
        return rc;
    rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return sql_err(s->db, rc, err, path);
    sqlite3_busy_timeout(s->db, 5000);
    rc = sql_harden(s->db, err);
    if (!rc)
        rc = sql_exec(s->db,
                      "PRAGMA page_size=4096; PRAGMA auto_vacuum=NONE; PRAGMA journal_mode=WAL;"
                      "PRAGMA synchronous=FULL; PRAGMA cache_size=-16384; PRAGMA mmap_size=0;"
                      "PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=0",
                      err, "set up the store");
    if (rc)
        return err_while(err, "%s", path);
    /* without it a reader of another uid could not open the store after a clean stop */
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    sqlite3_wal_hook(s->db, on_wal, s);
    return migrate_run(s->db, path, err);
}

static bool is_shm_missing(const char *path)
{
    char *shm = xasprintf("%s-shm", path);
    bool is_missing = access(shm, F_OK) < 0 && errno == ENOENT;

    free(shm);
    return is_missing;
}

static int open_reader(struct store *s, const char *path, struct err *err)
{
    struct stat st;
    int rc;

    if (stat(path, &st) < 0 && errno == ENOENT)
        return err_set(
            err, E_NOTFOUND,
            "there is no store at %s: the engine (mxhelmd) makes it when it first starts; "
            "or another configuration is meant (-c FILE, MXHELM_CONFIG)",
            path);
    if (stat(path, &st) < 0)
        return err_sys(err, errno == EACCES ? E_DENIED : E_IO, errno, "open the store %s", path);
    rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return sql_err(s->db, rc, err, path);
    sqlite3_busy_timeout(s->db, 250);
    rc = sql_harden(s->db, err);
    if (!rc)
        rc = sql_exec(s->db, "PRAGMA query_only=1; PRAGMA cache_size=-16384", err, path);
    if (!rc)
        rc = migrate_check(s->db, path, err);
    if ((rc == -(int)E_DENIED || rc == -(int)E_IO) && is_shm_missing(path))
        return err_set(err, E_DENIED,
                       "%s cannot be read: its -shm file is missing and may not be made here; "
                       "start the engine once, or read as its user",
                       path);
    return rc;
}

int store_open(const char *dir, enum store_mode mode, struct store **out, struct err *err)
{
    struct store *s = xnew(struct store);
    char *path = xasprintf("%s/queue.db", dir);
    int rc;

    s->dir = xstrdup(dir);
    s->mode = mode;
    s->lock_fd = -1;
    rc = mode == STORE_WRITER ? open_writer(s, path, err) : open_reader(s, path, err);
    if (!rc && where_register(s->db) != SQLITE_OK)
        rc = err_set(err, E_IO, "store %s: cannot set up the connection", dir);
    free(path);
    if (rc) {
        store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->is_in_txn)
        store_rollback(s);
    for (size_t i = 0; i < STMT_COUNT; i++)
        sqlite3_finalize(s->stmt[i]);
    sqlite3_close(s->db);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s->loose);
    free(s->dir);
    free(s);
}

/* --- transactions --- */

int store_begin(struct store *s, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_BEGIN, "BEGIN IMMEDIATE", err);
    int rc = st ? store_run(s, st, err, "begin") : -(int)E_IO;

    if (!rc) {
        s->is_in_txn = true;
        s->log_mark = s->log ? daylog_gathered(s->log) : 0;
    }
    return rc;
}

static int write_counters(struct store *s, struct err *err)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        sqlite3_stmt *st;
        int rc;

        if (!s->delta[i])
            continue;
        st = store_stmt(s, STMT_COUNTER_ADD, "UPDATE counter SET n=n+?2 WHERE id=?1", err);
        if (!st)
            return -(int)E_IO;
        bind_i(st, 1, i);
        bind_i(st, 2, s->delta[i]);
        rc = store_run(s, st, err, "count");
        if (rc)
            return rc;
    }
    return 0;
}

static int write_loose(struct store *s, struct err *err)
{
    for (size_t i = 0; i < s->loose_n; i++) {
        sqlite3_stmt *st =
            store_stmt(s, STMT_UPLOAD_ADD, "INSERT OR IGNORE INTO upload(message) VALUES(?1)", err);
        int rc;

        if (!st)
            return -(int)E_IO;
        bind_i(st, 1, s->loose[i]);
        rc = store_run(s, st, err, "note an upload");
        if (rc)
            return rc;
    }
    return 0;
}

int store_commit(struct store *s, struct err *err)
{
    sqlite3_stmt *st = store_stmt(s, STMT_COMMIT, "COMMIT", err);
    int rc = st ? write_counters(s, err) : -(int)E_IO;

    if (!rc)
        rc = write_loose(s, err);
    if (!rc)
        rc = store_run(s, st, err, "commit");
    if (rc) {
        store_rollback(s);
        return rc;
    }
    memset(s->delta, 0, sizeof(s->delta));
    s->loose_n = 0;
    s->is_in_txn = false;
    if (!s->is_lazy)
        store_tidy(s);
    return 0;
}

void store_rollback(struct store *s)
{
    /* SQLite may have rolled back by itself, on a full disk for one */
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    memset(s->delta, 0, sizeof(s->delta));
    s->loose_n = 0;
    if (s->log)
        daylog_forget(s->log, s->log_mark);
    s->is_in_txn = false;
    s->purge_from = 0;
}

void store_tidy(struct store *s)
{
    if (s->wal_pages < STORE_WAL_PAGES)
        return;
    if (s->wal_pages >= STORE_WAL_PAGES_MAX) {
        /* a reader that never ends keeps the WAL growing: take what can be had without waiting */
        sqlite3_busy_timeout(s->db, 0);
        sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_busy_timeout(s->db, 5000);
    } else {
        sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    s->wal_pages = 0;
}

void store_fail_after(struct store *s, int64_t n, bool is_full)
{
    s->fail_left = n > 0 ? n : 0;
    s->is_fail_full = is_full;
}

/* --- numbers that ride with the transaction --- */

void store_count(struct store *s, int from, unsigned from_tries, int to, unsigned to_tries)
{
    if (from >= 0)
        s->delta[from]--;
    if (to >= 0)
        s->delta[to]++;
    if (from == RCPT_QUEUED && from_tries)
        s->delta[COUNTER_DEFERRED]--;
    if (to == RCPT_QUEUED && to_tries)
        s->delta[COUNTER_DEFERRED]++;
}

void store_loose_add(struct store *s, int64_t message_id)
{
    if (s->loose_n == s->loose_cap) {
        s->loose_cap = s->loose_cap ? s->loose_cap * 2 : 64;
        s->loose = xreallocarray(s->loose, s->loose_cap, sizeof(*s->loose));
    }
    s->loose[s->loose_n++] = message_id;
}

bool store_loose_drop(struct store *s, int64_t message_id)
{
    /* from the end: an upload that fits into one commit is the newest */
    for (size_t i = s->loose_n; i-- > 0;) {
        if (s->loose[i] == message_id) {
            s->loose[i] = s->loose[--s->loose_n];
            return true;
        }
    }
    return false;
}
