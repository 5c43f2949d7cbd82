/* SPDX-License-Identifier: ISC */
/*
 * Scenarios: the engine itself under virtual time, led by a .scn file (README.md has the language).
 * scn_run.c reads and leads, scn_mail.c speaks SMTP to the engine, scn_expect.c looks at what came
 * out, scn_conf.c builds the configuration.
 */
#ifndef SCENARIO_SCN_H
#define SCENARIO_SCN_H

#include "core/engine/engine.h"
#include "store/view.h"
#include "tests/world/lines.h"
#include "tests/world/sim.h"

/* One key of the configuration. */
struct scn_key {
    char *section, *key, *value; /* own */
};

#define SCN_JOBS 8

struct scn {
    const char *file;
    char *world_folder; /* own: where "world FILE" looks */
    char *dir;          /* own: temporary, with the store */
    struct str rest;    /* of the file's text */
    unsigned line;
    struct words words;
    bool has_failed;

    struct scn_key *keys; /* own */
    size_t keys_n;
    struct conf conf, old_conf;
    bool has_conf, has_old_conf;
    struct world world;
    struct sim *sim;
    struct engine *engine; /* own, NULL when it does not run */
    struct log log;
    struct buf daemon; /* what the engine says about itself */
    bool is_fatal, is_drained, may_violate;
    uint64_t seed;
    bool split;
    unsigned serial; /* of the mails sent */

    struct view *view;  /* own, NULL = opened when needed */
    struct buf control; /* the last reply's text */
    int64_t last_jobs[SCN_JOBS]; /* newest first */
};

/* Say what is wrong with the line that is executed; the scenario ends. Returns false. */
bool scn_fail(struct scn *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Next raw line of the file; false at its end. */
bool scn_next_line(struct scn *s, struct str *line);
/* "key=1h" of the statement, or the default. Fails the scenario when it does not parse. */
int64_t scn_duration(struct scn *s, const char *key, int64_t otherwise_ms);
bool scn_number(struct scn *s, const char *text, uint64_t *out);

/* --- scn_conf.c --- */
void scn_conf_default(struct scn *s);
bool scn_conf_block(struct scn *s); /* up to "}" */
bool scn_conf_make(struct scn *s, struct conf *out);
void scn_conf_done(struct scn *s);

/* --- scn_mail.c --- */
bool scn_send(struct scn *s);
bool scn_smtp_block(struct scn *s);
bool scn_control(struct scn *s);

/* --- scn_expect.c --- */
bool scn_expect(struct scn *s);
bool scn_until(struct scn *s);
void scn_view_close(struct scn *s);
/* For the report of a failure. */
void scn_show(struct scn *s);

#endif
