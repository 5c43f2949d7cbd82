/* SPDX-License-Identifier: ISC */
/* What check.c offers to the checks: a part is one check under way. Private to core/check. */
#ifndef CHECK_PART_H
#define CHECK_PART_H

#include "core/base/list.h"
#include "core/check/check.h"

struct check_part {
    struct list link; /* in check_run.parts */
    struct check_run *run;
    int64_t started_mono_ms;
    bool is_done;
    /* Time is up: emit what is known, then check_part_done. */
    void (*deadline)(struct check_part *p);
    /* Stop what is under way and free the part. */
    void (*free)(struct check_part *p);
};

/* Register a part that has its two functions; from now on run owns it. */
void check_part_start(struct check_part *p, struct check_run *run);
/* The result is copied and told from the loop. took_ms is filled in. */
void check_emit(struct check_part *p, struct check_result *r);
void check_part_done(struct check_part *p);
const struct check_env *check_env_of(const struct check_run *run);
int64_t check_elapsed_ms(const struct check_part *p);

/* Append formatted text, cut when it is full. Remote bytes go through check_add_remote. */
void check_add(char *out, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
void check_add_remote(char *out, size_t size, struct str bytes);
/* "NXDOMAIN", "SERVFAIL", "no answer in time": what an answer was. */
const char *check_answer_text(const struct dns_answer *a);
/* Not seen by the world as it is: private, shared (RFC 6598), link-local, loopback. */
bool check_is_private(const struct ip *ip);

void resolver_check_start(struct check_run *run);
void port25_check_start(struct check_run *run);
void identity_check_start(struct check_run *run);
void spf_check_start(struct check_run *run);

#endif
