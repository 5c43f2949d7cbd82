/* SPDX-License-Identifier: ISC */
/*
 * The schema, as a list of steps by PRAGMA user_version. A step is never edited once it was
 * released: a change is a new step at the end. README.md draws the picture.
 */
#include "store/store_private.h"

/*
 * Step 1. Times are wall ms. Texts are never NULL.
 *
 * Every index of recipient is partial over what is not final (finished=0): mail that goes out at
 * the first try touches pages that are small and hot, and the days of finished rows that are kept
 * are in no index at all. There is none on recipient(message), attempt(recipient): a message knows
 * the range of its recipients' ids, a recipient its newest attempt, an attempt the one before.
 */
static const char schema_1[] =
    "CREATE TABLE message("
    " id INTEGER PRIMARY KEY,"
    " open INTEGER NOT NULL," /* recipients that are not final */
    " arrival INTEGER NOT NULL, size INTEGER NOT NULL,"
    " class INTEGER NOT NULL, flags INTEGER NOT NULL, ret INTEGER NOT NULL,"
    " rcpt_first INTEGER NOT NULL, rcpt_last INTEGER NOT NULL,"
    " sender TEXT NOT NULL, envid TEXT NOT NULL, origin TEXT NOT NULL,"
    " h_from TEXT NOT NULL, h_subject TEXT NOT NULL, h_message_id TEXT NOT NULL,"
    " h_date TEXT NOT NULL);"
    "CREATE TABLE chunk("
    " message INTEGER NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY(message, seq)) WITHOUT ROWID;"
    /* bodies whose message is not accepted yet: swept at start */
    "CREATE TABLE upload(message INTEGER PRIMARY KEY);"
    "CREATE TABLE recipient("
    " id INTEGER PRIMARY KEY,"
    " state INTEGER NOT NULL, epoch INTEGER NOT NULL, tries INTEGER NOT NULL,"
    " notify INTEGER NOT NULL, is_notified INTEGER NOT NULL, code INTEGER NOT NULL,"
    " mark INTEGER NOT NULL,"     /* when the end of data was sent under this claim */
    " finished INTEGER NOT NULL," /* when it became final; 0 = it is not */
    " last INTEGER NOT NULL,"     /* start of the last try; 0 = none */
    " attempt INTEGER NOT NULL,"  /* the newest attempt; 0 = none */
    " job INTEGER NOT NULL,"      /* the bulk act that changed it last */
    " message INTEGER NOT NULL, next INTEGER NOT NULL, arrival INTEGER NOT NULL,"
    " size INTEGER NOT NULL,"
    " address TEXT NOT NULL, domain TEXT NOT NULL, site TEXT NOT NULL, cause TEXT NOT NULL,"
    " enhanced TEXT NOT NULL, orcpt TEXT NOT NULL, note TEXT NOT NULL);"
    "CREATE INDEX r_live ON recipient(id) WHERE finished=0;"
    /* what is due, and the order of states */
    "CREATE INDEX r_state ON recipient(state, next) WHERE finished=0;"
    "CREATE INDEX r_tries ON recipient(tries) WHERE finished=0;"
    "CREATE INDEX r_size ON recipient(size) WHERE finished=0;"
    /* and all that groups and counts read, so that they never touch the table */
    "CREATE INDEX r_domain ON recipient"
    "(domain, id, message, state, tries, next, arrival, size, code, site, cause)"
    " WHERE finished=0;"
    "CREATE TABLE attempt("
    " id INTEGER PRIMARY KEY," /* also the id of its line in the log */
    " recipient INTEGER NOT NULL, prev INTEGER NOT NULL, number INTEGER NOT NULL,"
    " state INTEGER NOT NULL," /* where the recipient went */
    " start INTEGER NOT NULL, duration INTEGER NOT NULL,"
    " a INTEGER NOT NULL, b INTEGER NOT NULL, c INTEGER NOT NULL, d INTEGER NOT NULL,"
    " class INTEGER NOT NULL, stage INTEGER NOT NULL, scope INTEGER NOT NULL,"
    " code INTEGER NOT NULL, sys INTEGER NOT NULL, dns INTEGER NOT NULL, port INTEGER NOT NULL,"
    " tls INTEGER NOT NULL, conn_use INTEGER NOT NULL, retry_after INTEGER NOT NULL,"
    " enhanced TEXT NOT NULL, text TEXT NOT NULL, host TEXT NOT NULL, ip TEXT NOT NULL,"
    " tls_version TEXT NOT NULL, tls_cipher TEXT NOT NULL, tls_why TEXT NOT NULL,"
    " transcript BLOB);"
    "CREATE TABLE audit("
    " id INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, verb TEXT NOT NULL,"
    " filter TEXT NOT NULL, reason TEXT NOT NULL, changed INTEGER NOT NULL);"
    "CREATE TABLE counter(id INTEGER PRIMARY KEY, n INTEGER NOT NULL);"
    "INSERT INTO counter(id, n) VALUES"
    " (0,0),(1,0),(2,0),(3,0),(4,0),(5,0),(6,0),(7,0),(8,0),(9,0),(10,0);";

_Static_assert(COUNTER_COUNT == 11, "schema_1 makes one row per counter");

/* Step 2. Where reports go when the sender address stands in for the user's own. */
static const char schema_2[] = "ALTER TABLE message ADD COLUMN report_to TEXT NOT NULL DEFAULT '';";

/*
 * Step 3. In a table without rowids, finding the place of a row reads whole rows on the way, and a row
 * of chunk is up to 256 KiB: each insert into it read megabytes. So the first piece, mostly the only
 * one, is found by its message's id as rowid, and the others by a small index.
 */
static const char schema_3[] =
    "ALTER TABLE chunk RENAME TO chunk_1;"
    "CREATE TABLE chunk(message INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE chunk_more("
    " message INTEGER NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE UNIQUE INDEX chunk_more_at ON chunk_more(message, seq);"
    "INSERT INTO chunk SELECT message, data FROM chunk_1 WHERE seq=0;"
    "INSERT INTO chunk_more SELECT message, seq, data FROM chunk_1 WHERE seq>0;"
    "DROP TABLE chunk_1;";

/* Step 4. A reroute: which way the recipient goes, whatever the configuration says (mail/way.h). */
static const char schema_4[] = "ALTER TABLE recipient ADD COLUMN via TEXT NOT NULL DEFAULT '';";

/* Step 5. The attempt that has the transcript of this one: they shared a transaction. */
static const char schema_5[] = "ALTER TABLE attempt ADD COLUMN told INTEGER NOT NULL DEFAULT 0;";

/*
 * Step 6. What a sender is still to be told of a recipient (enum dsn_action; 0 = nothing): the reports
 * about a message's recipients are gathered for a while. And what an operator returns: the act with
 * the time from which on it cannot be undone, and what its recipients were before.
 */
static const char schema_6[] =
    "ALTER TABLE recipient ADD COLUMN report INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX r_report ON recipient(message) WHERE report<>0;"
    "CREATE TABLE bounce_act("
    " id INTEGER PRIMARY KEY, due INTEGER NOT NULL, who TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE TABLE bounce("
    " recipient INTEGER PRIMARY KEY, act INTEGER NOT NULL,"
    " state INTEGER NOT NULL, note TEXT NOT NULL);"
    "CREATE INDEX bounce_of_act ON bounce(act);";

/* Step 7. When delivery was frozen, since we were the problem: it counts for no lifetime. */
static const char schema_7[] =
    "CREATE TABLE frost(id INTEGER PRIMARY KEY, until INTEGER NOT NULL);";

/* Step 8. Sites in trouble, over a restart. */
static const char schema_8[] =
    "CREATE TABLE site("
    " name TEXT PRIMARY KEY, until INTEGER NOT NULL, failed INTEGER NOT NULL,"
    " slow INTEGER NOT NULL, class INTEGER NOT NULL, stage INTEGER NOT NULL,"
    " scope INTEGER NOT NULL, code INTEGER NOT NULL, sys INTEGER NOT NULL, dns INTEGER NOT NULL,"
    " port INTEGER NOT NULL, enhanced TEXT NOT NULL, text TEXT NOT NULL, host TEXT NOT NULL,"
    " ip TEXT NOT NULL) WITHOUT ROWID;";

/*
 * Step 9. What an act changed, so that it can be taken back for a while: of each recipient what it was, of a
 * message that lost one by deletion, that its body is still wanted. By act and in order of id, as acts
 * write and undo reads them.
 */
static const char schema_9[] =
    "CREATE TABLE undo_act("
    " id INTEGER PRIMARY KEY, verb INTEGER NOT NULL, until INTEGER NOT NULL);"
    "CREATE TABLE undo("
    " act INTEGER NOT NULL, recipient INTEGER NOT NULL, job INTEGER NOT NULL,"
    " state INTEGER NOT NULL, next INTEGER NOT NULL, attempt INTEGER NOT NULL,"
    " via TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY(act, recipient)) WITHOUT ROWID;"
    "CREATE TABLE tomb(message INTEGER PRIMARY KEY, act INTEGER NOT NULL);"
    "CREATE INDEX tomb_of_act ON tomb(act);"
    "ALTER TABLE bounce DROP COLUMN state;"
    "ALTER TABLE bounce DROP COLUMN note;";

/* Step 10. Addresses and domains that take no mail from here. */
static const char schema_10[] =
    "CREATE TABLE suppression("
    " key TEXT PRIMARY KEY, reason TEXT NOT NULL, source TEXT NOT NULL, made INTEGER NOT NULL,"
    " until INTEGER NOT NULL," /* 0 = for good */
    " hits INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;";

/* Step 11. Holds and reroutes that catch mail to come, and which of them holds a recipient. */
static const char schema_11[] =
    "CREATE TABLE rule("
    " id INTEGER PRIMARY KEY, verb INTEGER NOT NULL, until INTEGER NOT NULL,"
    " hits INTEGER NOT NULL, filter TEXT NOT NULL, via TEXT NOT NULL, way TEXT NOT NULL,"
    " who TEXT NOT NULL, reason TEXT NOT NULL);"
    "ALTER TABLE recipient ADD COLUMN rule INTEGER NOT NULL DEFAULT 0;";

/* Step 12. What the engine itself holds, by when it is tried again. */
static const char schema_12[] = "CREATE INDEX r_engine_held ON recipient(next)"
                                " WHERE finished=0 AND state=2 AND job=0;";

static const char *const steps[] = {schema_1, schema_2, schema_3, schema_4,  schema_5,  schema_6,
                                    schema_7, schema_8, schema_9, schema_10, schema_11, schema_12};

_Static_assert(ARRAY_LEN(steps) == STORE_SCHEMA, "one step per version");

static int read_version(sqlite3 *db, const char *path, int64_t *version, struct err *err)
{
    int64_t app = 0, tables = 0;
    int rc = sql_number(db, "PRAGMA user_version", version, err, "read the schema's version");

    if (!rc)
        rc = sql_number(db, "PRAGMA application_id", &app, err, "read the application id");
    if (!rc)
        rc = sql_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err, "read the schema");
    if (rc)
        return err_while(err, "%s", path);
    if (app != STORE_APPLICATION_ID && (app != 0 || tables != 0))
        return err_set(err, E_SCHEMA, "%s is a database, but not a store of mxhelm", path);
    if (*version > STORE_SCHEMA)
        return err_set(err, E_SCHEMA,
                       "the store %s is of schema %lld, this program knows up to %d: it was "
                       "written by a newer mxhelm",
                       path, (long long)*version, STORE_SCHEMA);
    return 0;
}

static int run_step(sqlite3 *db, int64_t to, struct err *err)
{
    char set[96];
    int rc = sql_exec(db, "BEGIN IMMEDIATE", err, "begin the migration");

    if (rc)
        return rc;
    snprintf(set, sizeof(set), "PRAGMA application_id=%d; PRAGMA user_version=%lld; COMMIT",
             STORE_APPLICATION_ID, (long long)to);
    rc = sql_exec(db, steps[to - 1], err, "migrate");
    if (!rc)
        rc = sql_exec(db, set, err, "commit the migration");
    if (rc && !sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

int migrate_run(sqlite3 *db, const char *path, struct err *err)
{
    int64_t version = 0;
    int rc = read_version(db, path, &version, err);

    while (!rc && version < STORE_SCHEMA) {
        rc = run_step(db, ++version, err);
        if (rc)
            err_while(err, "%s to schema %lld", path, (long long)version);
    }
    return rc;
}

int migrate_check(sqlite3 *db, const char *path, struct err *err)
{
    int64_t version = 0;
    int rc = read_version(db, path, &version, err);

    if (!rc && version < STORE_SCHEMA)
        return err_set(err, E_SCHEMA,
                       "the store %s is of schema %lld, this program needs %d: start the engine "
                       "once, it brings it up to date",
                       path, (long long)version, STORE_SCHEMA);
    return rc;
}
