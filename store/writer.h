/* SPDX-License-Identifier: ISC */
/*
 * The store's thread: jobs come in from the network thread, whatever has queued up is run in one
 * transaction (at most 256 jobs), and after the commit their answers go back. Group commit without
 * a timer: while one commit syncs, the next group gathers.
 *
 *   net thread: writer_submit ──► queue ──► store thread: begin, run…, commit, log ──► finished list
 *   net thread: wake ──► writer_collect: done(job) for each, in the order of submission
 *
 * A job's run is called in the store thread, its done in the thread that calls writer_collect. When
 * the group's commit fails, every WRITE job of it is done with that error: nothing of it happened
 * (a run that failed with E_IO, E_FULL or E_CORRUPT rolls the group back likewise).
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include "core/base/list.h"
#include "core/base/log.h"
#include "store/store.h"

#define WRITER_GROUP_MAX 256

enum store_job_kind {
    STORE_JOB_WRITE,
    STORE_JOB_READ /* runs on the read-only connection, outside any transaction, between groups */
};

struct store_job {
    struct list link;
    enum store_job_kind kind;
    int (*run)(struct store_job *job, struct store *s, struct err *err);
    void (*done)(struct store_job *job, int rc, const struct err *err); /* may free the job */
    int rc;
    struct err *err; /* own, only after a failure */
};

struct writer;

/*
 * Opens the store (recovery is the engine's first job). wake is called in the store thread when
 * jobs have finished. is_inline: no thread; jobs run inside writer_submit (simulator, tests), wake
 * is called from there.
 */
int writer_new(const char *dir, bool is_inline, void (*wake)(void *arg), void *arg,
               const struct log *log, struct writer **out, struct err *err);
/* Runs what was submitted, commits, collects, closes. */
void writer_free(struct writer *w);
void writer_submit(struct writer *w, struct store_job *job); /* takes the job until its done */
void writer_collect(struct writer *w);

/* For status: jobs waiting, groups and jobs so far, longest commit in ms since the last call. */
struct writer_stats {
    uint64_t waiting, groups, jobs, failed_groups;
    int64_t commit_max_ms, commit_last_ms;
};
void writer_stats(struct writer *w, struct writer_stats *out);

#endif
