/* SPDX-License-Identifier: ISC */
/*
 * What must be true outside, checked from here: does the resolver answer and tell the truth, does
 * port 25 lead out, does the address have its name, is there an SPF record. Asynchronous, on the
 * caller's loop, in whatever process; it changes nothing and needs no engine.
 *
 * "Could not test" is a verdict of its own (CHECK_UNKNOWN): an answer that was no answer is neither
 * good news nor bad. Nobody is contacted but the name servers and the receivers that are given.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "core/mail/conf.h"
#include "core/net/dns.h"
#include "core/net/loop.h"

#define CHECK_RECEIVERS_MAX 8

/* Whose servers are connected to: those that mail waits for, else those of check.receivers. */
struct check_receivers {
    const char *names[CHECK_RECEIVERS_MAX]; /* into text, or borrowed from the caller */
    size_t n;
    char text[1024];
};
#define CHECK_SOURCES_MAX   8
#define CHECK_DEADLINE_MS   5000
#define CHECK_PATIENCE_MS   2000

enum check_verdict {
    CHECK_OK,
    CHECK_WARN,
    CHECK_FAIL,
    CHECK_UNKNOWN, /* no trustworthy answer */
    CHECK_SKIP,    /* does not apply here */
    CHECK_VERDICT_COUNT
};
const char *check_verdict_name(enum check_verdict v); /* "ok", "warn", ... */

/* Groups, as bits of "which". */
#define CHECK_DNS      1u /* DNS-1 the resolver answers, DNS-3 it does not invent names */
#define CHECK_PORT25   2u /* NET-1 outgoing port 25, per family */
#define CHECK_IDENTITY 4u /* ID-3 reverse DNS of each source address against the EHLO name */
#define CHECK_SPF      8u /* SPF-1 a record for the sender's domain */
#define CHECK_ALL      15u
/* "all", "dns", "port25", "identity", "spf" to bits; 0 when it is none of these. */
unsigned check_which_parse(const char *name);

struct check_env {
    struct loop *loop;            /* borrowed until done, as everything here */
    struct dns *dns;              /* one with no_cache, so that "again" means again */
    const struct conf *conf;      /* EHLO name, sender, port */
    const struct ip *sources;     /* addresses that the world sees us with: check_sources */
    size_t sources_n;             /* at most CHECK_SOURCES_MAX */
    const char *const *receivers; /* domains whose MX is asked for its greeting */
    size_t receivers_n;           /* at most CHECK_RECEIVERS_MAX */
    int64_t deadline_ms;          /* for the whole run; 0 = CHECK_DEADLINE_MS */
    /* A connection that waited for less than this when the run ended was not refused an answer, but
     * is not tested; 0 = CHECK_PATIENCE_MS. */
    int64_t patience_ms;
};

/* All texts are printable and can go to a terminal. What we tested, what came back, what it means
 * for the mail, and the exact line or who must act; fix is "" when there is nothing to do. */
struct check_result {
    const char *id; /* static: "DNS-1" */
    enum check_verdict verdict;
    char title[80];    /* "resolver", "port 25 (IPv4)" */
    char subject[256]; /* the address, domain or host it is about */
    char summary[240]; /* one line */
    char what[400];
    char seen[1200]; /* lines, separated by \n */
    char meaning[500];
    char fix[600];
    int64_t took_ms;
    uint32_t recheck_after_s; /* least TTL of the answers; 0 = at once */
};

struct check_run; /* opaque */

/* result comes once per result, done once, last; neither before this returns. The run frees itself
 * after done. Callbacks may call check_cancel. */
struct check_run *check_start(const struct check_env *env, unsigned which,
                              void (*result)(void *arg, const struct check_result *r),
                              void (*done)(void *arg), void *arg);
/* Stop at once; no callback from now on. NULL is fine. */
void check_cancel(struct check_run *run);

/*
 * The addresses that the world sees us with: identity.public-ip when set, and for a family that it
 * does not name, the local address that the kernel would send from (a UDP socket is connected to a
 * root name server's address, which sends no packet). Returns how many.
 */
size_t check_sources(const struct conf *conf, struct ip out[CHECK_SOURCES_MAX]);

/* waiting: domains that most mail waits for, may be none; borrowed while r is used. */
void check_receivers_choose(struct check_receivers *r, const struct conf *conf,
                            const char *const *waiting, size_t waiting_n);

#endif
