/* SPDX-License-Identifier: ISC */
/*
 * What the files of store/ share: the connection, its prepared statements, and the few helpers
 * through which every statement is bound, stepped and read back.
 *
 * Invariants: a statement is always reset before its function returns; a writer's numbers that
 * ride with the transaction (counter deltas, loose uploads, gathered log lines) are dropped by
 * store_rollback and written by store_commit, so that they can never differ from the rows.
 */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include <sqlite3.h>

#include "core/base/buf.h"
#include "core/mail/msg.h"
#include "core/mail/outcome.h"
#include "store/daylog.h"
#include "store/queue.h"
#include "store/store.h"

#define STORE_SCHEMA         12
#define STORE_TEXT(n)        STORE_TEXT_OF(n)
#define STORE_TEXT_OF(n)     #n
#define STORE_APPLICATION_ID 0x4d455131
#define STORE_CACHE_KIB      16384
#define STORE_WAL_PAGES      4000  /* a PASSIVE checkpoint from here on: 16 MiB */
#define STORE_WAL_PAGES_MAX  65536 /* and a TRUNCATE one from here: 256 MiB */
#define STORE_MMAP_BYTES     (INT64_C(1) << 36)

/* Rows of the table counter. The first RCPT_STATE_COUNT count recipients by state. */
enum store_counter {
    COUNTER_DEFERRED = RCPT_STATE_COUNT, /* QUEUED with tries > 0 */
    COUNTER_MESSAGES,                    /* with a recipient that is not final */
    COUNTER_BYTES,                       /* of their bodies */
    COUNTER_COUNT
};

/* One prepared statement each, made at first use, kept until store_close. */
enum store_stmt {
    STMT_BEGIN,
    STMT_COMMIT,
    STMT_COUNTER_ADD,
    STMT_UPLOAD_ADD,
    STMT_UPLOAD_DROP,
    STMT_CHUNK_PUT,
    STMT_CHUNK_READ,
    STMT_CHUNK_DROP,
    STMT_MORE_PUT,
    STMT_MORE_READ,
    STMT_MORE_DROP,
    STMT_MESSAGE_ADD,
    STMT_MESSAGE_DROP,
    STMT_MESSAGE_GET,
    STMT_MESSAGE_OPEN,
    STMT_MESSAGE_SET_OPEN,
    STMT_RCPT_ADD,
    STMT_RCPT_DROP,
    STMT_RCPT_GET,
    STMT_DUE, /* four of them: two states, two steps each */
    STMT_DUE_LAST = STMT_DUE + 3,
    STMT_NEXT_DUE,
    STMT_CLAIM,
    STMT_MARK,
    STMT_UNCLAIM,
    STMT_SETTLE,
    STMT_SETTLE_END,
    STMT_SETTLE_HELD,
    STMT_HELD_DUE,
    STMT_HELD_RELEASE,
    STMT_ATTEMPT_ADD,
    STMT_ATTEMPT_GET,
    STMT_TRANSCRIPT,
    STMT_FROST,
    STMT_FROSTS,
    STMT_SITE_SAVE,
    STMT_SITE_FORGET,
    STMT_SITE_EXPIRE,
    STMT_SITES,
    STMT_ATTEMPT_DROP,
    STMT_BULK_WINDOW,
    STMT_BULK_RETRY, /* one per verb */
    STMT_BULK_LAST = STMT_BULK_RETRY + QUEUE_UNDO - 1,
    STMT_AUDIT,
    STMT_REPORT_ANY,
    STMT_REPORT_SOON,
    STMT_REPORT_LATE,
    STMT_REPORT_JOIN,
    STMT_REPORT_READ,
    STMT_REPORT_LOOK,
    STMT_REPORT_OWE,
    STMT_REPORT_DONE,
    STMT_BOUNCE_ADD,
    STMT_BOUNCE_ACT,
    STMT_BOUNCE_DROP,
    STMT_BOUNCE_DUE,
    STMT_BOUNCE_TIDY,
    STMT_BOUNCE_NEXT,
    STMT_UNDO_ADD,
    STMT_UNDO_ACT,
    STMT_UNDO_ACT_GET,
    STMT_UNDO_BACK, /* three of them: a change, a deletion, a reroute */
    STMT_UNDO_BACK_LAST = STMT_UNDO_BACK + 2,
    STMT_UNDO_DROP,
    STMT_UNDO_OLD,
    STMT_UNDO_OLD_ROWS,
    STMT_UNDO_OLD_ACT,
    STMT_TOMB_ADD,
    STMT_TOMB_HAS,
    STMT_TOMB_OLD,
    STMT_TOMB_DROP,
    STMT_RULE_ADD,
    STMT_RULE_OVER,
    STMT_RULE_DROP,
    STMT_RULES,
    STMT_RULE_HIT,
    STMT_SUPPRESS,
    STMT_UNSUPPRESS,
    STMT_SUPPRESS_HIT,
    STMT_SUPPRESS_EXPIRE,
    STMT_SUPPRESSIONS,
    STMT_PURGE_FIND,
    STMT_PURGE_MESSAGE,
    STMT_COUNT
};

struct store {
    sqlite3 *db;
    enum store_mode mode;
    char *dir; /* own */
    int lock_fd;
    bool is_in_txn;
    bool is_lazy; /* the writer's thread checkpoints when it is convenient, not store_commit */
    int wal_pages;
    struct daylog *log; /* borrowed: writer; NULL = lines are not written */
    size_t log_mark;    /* lines gathered before this transaction */
    int64_t fail_left;  /* store_fail_after: 0 = never, 1 = the next */
    bool is_fail_full;
    int64_t purge_from; /* where the last queue_purge stopped: nothing to purge lies before it */
    int64_t delta[COUNTER_COUNT];
    int64_t *loose; /* own: uploads begun in this transaction, not accepted yet */
    size_t loose_n, loose_cap;
    sqlite3_stmt *stmt[STMT_COUNT]; /* own */
};

/* --- sql.c --- */

/* *err from a SQLite result, "doing: sentence"; returns the negated code. */
int sql_err(sqlite3 *db, int rc, struct err *err, const char *doing);
/* As sql_err for a store: says which directory. */
int store_sql_err(struct store *s, int rc, struct err *err, const char *doing);
/* The cached statement, reset; NULL with *err. sql is a literal. */
sqlite3_stmt *store_stmt(struct store *s, enum store_stmt which, const char *sql, struct err *err);
/* Step a statement that writes: 0 or an error; reset afterwards. E_STATE for a constraint. */
int store_run(struct store *s, sqlite3_stmt *st, struct err *err, const char *doing);
/* Step a statement that reads: 1 = a row, 0 = no more (and reset), or an error (and reset). */
int store_next(struct store *s, sqlite3_stmt *st, struct err *err, const char *doing);
/* Run literal SQL without parameters. */
int sql_exec(sqlite3 *db, const char *sql, struct err *err, const char *doing);
/* One number out of a literal query, e.g. a pragma. */
int sql_number(sqlite3 *db, const char *sql, int64_t *out, struct err *err, const char *doing);
/* Flags, limits and pragmas of every connection: hostile schema and SQL have no power over us. */
int sql_harden(sqlite3 *db, struct err *err);

/* The text is borrowed until the statement was stepped and reset. */
static inline void bind_z(sqlite3_stmt *st, int i, const char *z)
{
    sqlite3_bind_text(st, i, z ? z : "", -1, SQLITE_STATIC);
}

static inline void bind_i(sqlite3_stmt *st, int i, int64_t v)
{
    sqlite3_bind_int64(st, i, v);
}

/* Column i into a fixed array, cut when it is longer than the array. */
void column_copy(sqlite3_stmt *st, int i, char *out, size_t size);
struct str column_str(sqlite3_stmt *st, int i);
/* A stored number of an enum: a value outside 0..count-1 becomes 0. */
int column_enum(sqlite3_stmt *st, int i, int count);

/* --- migrate.c --- */

/* Bring the open database to STORE_SCHEMA, each step in a transaction of its own. E_SCHEMA when it
 * is newer, or is not a store. */
int migrate_run(sqlite3 *db, const char *path, struct err *err);
/* The version of an open database; E_SCHEMA as above (and when it is older: only an engine migrates). */
int migrate_check(sqlite3 *db, const char *path, struct err *err);

/* --- store.c --- */

/* Checkpoint when the WAL has grown; never waits for a reader. */
void store_tidy(struct store *s);
/* A recipient went from one state to another: the counters. from or to < 0: it appeared, vanished. */
void store_count(struct store *s, int from, unsigned from_tries, int to, unsigned to_tries);
void store_loose_add(struct store *s, int64_t message_id);
/* False when it was not begun in this transaction. */
bool store_loose_drop(struct store *s, int64_t message_id);

/* --- spool.c --- */

/* All chunks of a body. */
int spool_drop(struct store *s, int64_t message_id, struct err *err);

/* --- ballast.c --- */

/*
 * DIR/ballast: space kept back, because a full disk refuses deletions and checkpoints too. Made
 * when there is plenty, given back on E_FULL.
 */
void ballast_make(const char *dir);
void ballast_drop(const char *dir);

/* --- queue_settle.c --- */

/* What a verb looks at before it changes a recipient. */
struct rcpt_now {
    enum rcpt_state state;
    unsigned epoch, tries;
    int64_t message_id, attempt_id, next_wall_ms, arrival_wall_ms, mark_wall_ms;
    bool is_notified;
    enum dsn_action report;
};
int rcpt_now(struct store *s, int64_t rcpt_id, struct rcpt_now *out, struct err *err);

/* A recipient of the message became final at wall_ms: *is_done when it was the last, the body is
 * deleted then. */
int queue_close_one(struct store *s, int64_t message_id, bool *is_done, struct err *err);
/* The way back: one of its recipients is not final any more. Its body must still be there. */
int queue_reopen_one(struct store *s, int64_t message_id, struct err *err);

/* Columns of an attempt row, read by attempt_read: begin with these. */
#define ATTEMPT_COLUMNS                                                                            \
    "id, recipient, prev, number, state, start, duration, a, b, c, d, class, stage, scope, code, " \
    "sys, dns, port, tls, conn_use, retry_after, enhanced, text, host, ip, tls_version, "          \
    "tls_cipher, tls_why"
struct attempt_row {
    int64_t id, rcpt_id, prev, start_wall_ms, duration_ms;
    unsigned number;
    enum rcpt_state state; /* where it went */
    struct delays delays;
    struct outcome outcome;
};
void attempt_read(sqlite3_stmt *st, struct attempt_row *out);
/* One attempt by id; E_NOTFOUND. */
int attempt_get(struct store *s, int64_t id, struct attempt_row *out, struct err *err);

/* --- queue_bounce.c --- */

/* It is held, and will be returned to its sender unless somebody undoes that: for queue_bulk.c. */
int bounce_add(struct store *s, int64_t rcpt_id, int64_t act, struct err *err);
/* Not any more, whatever it was. */
int bounce_drop(struct store *s, int64_t rcpt_id, struct err *err);
/* The act itself; each chunk of it moves its time on. */
int bounce_act(struct store *s, const struct queue_bulk *b, struct err *err);

/* --- queue_undo.c --- */

/* Can a verb be taken back? */
bool undo_keeps(enum queue_verb v);
/* What the recipient is now, before the act changes it. */
int undo_add(struct store *s, int64_t rcpt_id, int64_t act, struct err *err);
/* The act itself; each chunk of it moves its time on. */
int undo_act(struct store *s, const struct queue_bulk *b, struct err *err);
/* Its body is needed when the act is undone. */
int tomb_add(struct store *s, int64_t message_id, int64_t act, struct err *err);
int tomb_has(struct store *s, int64_t message_id, bool *has, struct err *err);
/* One chunk of QUEUE_UNDO: as queue_bulk_step. */
int undo_step(struct store *s, struct queue_bulk *b, unsigned limit,
              void (*changed)(void *arg, int64_t rcpt_id, enum rcpt_state now,
                              int64_t next_wall_ms),
              void *arg, struct err *err);

/* Out of the engine's hold; the counters are the caller's. */
int held_release(struct store *s, int64_t rcpt_id, struct err *err);

/* transcript.c: appended; nothing when there is no memory for it. */
void transcript_pack(struct str text, struct buf *out);
/* False when it is damaged, or larger than any transcript is. */
bool transcript_unpack(struct str blob, struct buf *out);

#endif
