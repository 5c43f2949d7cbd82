/* SPDX-License-Identifier: ISC */
/* Opening a store: what is made, who may, what is said when it cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include "store/spool.h"
#include "store/store_private.h"
#include "store/view.h"
#include "tests/unit/store/fixture.h"

static void sql(const char *dir, const char *text)
{
    char *path = xasprintf("%s/queue.db", dir);
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    free(path);
}

static int64_t pragma(struct store *s, const char *text)
{
    int64_t n = -1;

    assert_int_equal(sql_number(s->db, text, &n, NULL, "test"), 0);
    return n;
}

static unsigned mode_of(const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    free(path);
    return st.st_mode & 0777;
}

static void a_new_store_is_made_private_and_safe(void **state)
{
    struct fixture f;
    struct store *s;
    struct err err;
    mode_t mask = umask(0);

    (void)state;
    fixture_init(&f);
    fixture_remove(f.dir);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    umask(mask);
    assert_int_equal(mode_of(f.dir, ""), 0750);
    assert_int_equal(mode_of(f.dir, "queue.db"), 0640);
    assert_int_equal(mode_of(f.dir, "queue.db-wal"), 0640);
    assert_int_equal(mode_of(f.dir, "queue.db-shm"), 0640);
    assert_int_equal(mode_of(f.dir, "engine.lock"), 0640);
    assert_int_equal(pragma(s, "PRAGMA user_version"), STORE_SCHEMA);
    assert_int_equal(pragma(s, "PRAGMA application_id"), STORE_APPLICATION_ID);
    assert_int_equal(pragma(s, "PRAGMA synchronous"), 2);
    assert_int_equal(pragma(s, "PRAGMA secure_delete"), 0);
    assert_int_equal(pragma(s, "PRAGMA trusted_schema"), 0);
    assert_int_equal(pragma(s, "PRAGMA cache_size"), -STORE_CACHE_KIB);
    assert_int_equal(pragma(s, "PRAGMA page_size"), 4096);
    store_close(s);
    /* a reader of another user needs these after a clean stop */
    assert_int_equal(mode_of(f.dir, "queue.db-wal"), 0640);
    assert_int_equal(mode_of(f.dir, "queue.db-shm"), 0640);
    fixture_remove(f.dir);
}

static void a_second_engine_is_told_who_is_first(void **state)
{
    struct fixture f;
    struct store *s, *t;
    struct err err;
    char pid[32];

    (void)state;
    fixture_init(&f);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &t, &err), -E_BUSY);
    snprintf(pid, sizeof(pid), "pid %ld", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, f.dir));
    store_close(s);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &t, &err), 0);
    store_close(t);
    fixture_remove(f.dir);
}

static void stores_that_are_not_ours_are_refused_with_a_sentence(void **state)
{
    static const struct {
        const char *name, *sql, *says;
        enum err_code writer, reader;
    } rows[] = {
        {"newer schema", "PRAGMA user_version=99", "is of schema 99, this program knows up to 12",
         E_SCHEMA, E_SCHEMA},
        {"another program's", "PRAGMA application_id=7", "not a store of mxhelm", E_SCHEMA,
         E_SCHEMA},
        {"older schema", "PRAGMA user_version=0", "this program needs 12", E_OK, E_SCHEMA},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct store *s;
        struct view *v;
        struct err err = ERR_NONE;

        fixture_init(&f);
        assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
        store_close(s);
        sql(f.dir, rows[i].sql);
        if (view_open(f.dir, &v, &err) != -(int)rows[i].reader || !strstr(err.text, rows[i].says))
            fail_msg("%s, reader: %s", rows[i].name, err.text);
        if (rows[i].writer && (store_open(f.dir, STORE_WRITER, &s, &err) != -(int)rows[i].writer ||
                               !strstr(err.text, rows[i].says) || !strstr(err.text, f.dir)))
            fail_msg("%s, writer: %s", rows[i].name, err.text);
        fixture_remove(f.dir);
    }
}

/* Step 2: a message of before reports to its sender, as it did. Step 3: bodies keep their pieces. */
static void a_store_of_schema_1_is_brought_up_to_date(void **state)
{
    struct fixture f;
    struct store *s;
    struct err err;

    (void)state;
    fixture_init(&f);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    store_close(s);
    sql(f.dir, "DROP INDEX r_engine_held; DROP TABLE chunk; DROP TABLE chunk_more;"
               "CREATE TABLE chunk(message INTEGER NOT NULL, seq INTEGER NOT NULL,"
               " data BLOB NOT NULL, PRIMARY KEY(message, seq)) WITHOUT ROWID;"
               "INSERT INTO chunk VALUES(7,0,x'61'),(7,1,x'62'),(7,2,x'63'),(9,0,x'64');"
               "ALTER TABLE message DROP COLUMN report_to;"
               "ALTER TABLE recipient DROP COLUMN via;"
               "ALTER TABLE attempt DROP COLUMN told;"
               "DROP INDEX r_report; ALTER TABLE recipient DROP COLUMN report;"
               "DROP TABLE bounce; DROP TABLE bounce_act; DROP TABLE frost; DROP TABLE site;"
               "DROP TABLE undo_act; DROP TABLE undo; DROP TABLE tomb; DROP TABLE suppression; DROP TABLE rule;"
               "ALTER TABLE recipient DROP COLUMN rule;"
               "INSERT INTO message VALUES(7,1,0,9,0,0,0,8,8,'anna@example.com','','','','','','');"
               "PRAGMA user_version=1");
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    assert_int_equal(pragma(s, "PRAGMA user_version"), STORE_SCHEMA);
    assert_int_equal(pragma(s, "SELECT count(*) FROM message WHERE report_to=''"), 1);
    struct buf body = BUF_INIT;
    for (unsigned seq = 0; seq < 3; seq++)
        assert_int_equal(spool_read(s, 7, seq, &body, &err), 0);
    assert_int_equal(spool_read(s, 7, 3, &body, &err), -(int)E_NOTFOUND);
    assert_int_equal(spool_read(s, 9, 0, &body, &err), 0);
    assert_string_equal(buf_text(&body), "abcd");
    buf_done(&body);
    store_close(s);
    fixture_remove(f.dir);
}

static void an_empty_file_is_migrated_from_nothing(void **state)
{
    struct fixture f;
    struct store *s;
    struct err err;

    (void)state;
    fixture_init(&f);
    sql(f.dir, "PRAGMA user_version=0");
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    assert_int_equal(pragma(s, "PRAGMA user_version"), STORE_SCHEMA);
    assert_int_equal(pragma(s, "SELECT count(*) FROM counter"), COUNTER_COUNT);
    store_close(s);
    fixture_remove(f.dir);
}

static void a_damaged_file_is_called_damaged(void **state)
{
    struct fixture f;
    struct store *s = NULL;
    struct err err;
    char *path;
    FILE *file;

    (void)state;
    fixture_init(&f);
    path = xasprintf("%s/queue.db", f.dir);
    file = fopen(path, "w");
    for (int i = 0; i < 5000; i++)
        fputs("not a database", file);
    fclose(file);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), -E_CORRUPT);
    assert_non_null(strstr(err.text, path));
    free(path);
    fixture_remove(f.dir);
}

static void what_is_not_there_is_said(void **state)
{
    struct fixture f;
    struct store *s;
    struct view *v;
    struct err err;
    char *deep;

    (void)state;
    fixture_init(&f);
    assert_int_equal(view_open(f.dir, &v, &err), -E_NOTFOUND);
    assert_non_null(strstr(err.text, f.dir));
    deep = xasprintf("%s/no/such", f.dir);
    assert_int_equal(store_open(deep, STORE_WRITER, &s, &err), -E_IO);
    assert_non_null(strstr(err.text, deep));
    free(deep);
    fixture_remove(f.dir);
}

/* As somebody who may read the files, but not write in the directory. */
static int as_reader(const char *dir, const char *says)
{
    struct view *v;
    struct queue_totals t;
    struct err err = ERR_NONE;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int rc = setgid(65534) || setuid(65534) ? -99 : view_open(dir, &v, &err);

        if (rc == 0)
            rc = view_totals(v, &t, &err);
        if (says)
            _exit(rc < 0 && strstr(err.text, says) ? 0 : 1);
        _exit(rc == 0 ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

static void a_reader_without_rights_to_write_reads_while_stopped_and_while_running(void **state)
{
    static const char *const files[] = {"queue.db", "queue.db-wal", "queue.db-shm"};
    struct fixture f;
    struct store *s;
    struct err err;

    (void)state;
    if (getuid() != 0)
        skip();
    fixture_init(&f);
    assert_int_equal(store_open(f.dir, STORE_WRITER, &s, &err), 0);
    chmod(f.dir, 0755);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char *path = xasprintf("%s/%s", f.dir, files[i]);

        chmod(path, 0644);
        free(path);
    }
    assert_int_equal(as_reader(f.dir, NULL), 0);
    store_close(s);
    assert_int_equal(as_reader(f.dir, NULL), 0);
    for (size_t i = 1; i < ARRAY_LEN(files); i++) {
        char *path = xasprintf("%s/%s", f.dir, files[i]);

        unlink(path);
        free(path);
    }
    assert_int_equal(as_reader(f.dir, "-shm file is missing"), 0);
    fixture_remove(f.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_store_is_made_private_and_safe),
        cmocka_unit_test(a_second_engine_is_told_who_is_first),
        cmocka_unit_test(stores_that_are_not_ours_are_refused_with_a_sentence),
        cmocka_unit_test(a_store_of_schema_1_is_brought_up_to_date),
        cmocka_unit_test(an_empty_file_is_migrated_from_nothing),
        cmocka_unit_test(a_damaged_file_is_called_damaged),
        cmocka_unit_test(what_is_not_there_is_said),
        cmocka_unit_test(a_reader_without_rights_to_write_reads_while_stopped_and_while_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
