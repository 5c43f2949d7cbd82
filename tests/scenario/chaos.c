/* SPDX-License-Identifier: ISC */
/*
 * Chaos: a week in which, by a seed, hosts and resolvers fail in every way of personalities.world, the
 * engine is killed, the store gets sick and the clock jumps. After it the books must balance:
 *
 *   - each recipient of a message that was answered with 250 is delivered, bounced or expired;
 *   - what is delivered arrived; for what is not, the sender has a report;
 *   - the hosts saw no violation, and nothing is left in the engine's hands.
 *
 *   chaos SEEDS        seeds 1..SEEDS
 *   chaos =SEED        that one, with all that the engine says
 */
#include <inttypes.h>
#include "core/base/rng.h"
#include "core/base/text.h"
#include "store/view.h"
#include "tests/scenario/play.h"

#define SITES     5
#define LETTERS   24
#define DISASTERS 4
#define ROWS_MAX  200
/* Longer than the lifetimes of a message and of a report about it, shorter than store.keep. */
#define WEEK_MS     (156 * HOUR_MS)
#define FAULT_TIMES 4

/* What a host may do a few times; every one stands in personalities.world. */
static const char *const faults[] = {
    "on connect first=%u refuse",
    "on connect first=%u timeout",
    "on connect first=%u no-route",
    "on greeting first=%u reply 421 4.3.2 \"busy\" then close",
    "on greeting first=%u silence",
    "on greeting first=%u reply 554 \"no service\" then close",
    "on ehlo first=%u reset",
    "on ehlo first=%u reply 502 \"what\"",
    "on mail first=%u reply 450 4.3.0 \"later\"",
    "on mail first=%u reset",
    "on rcpt first=%u reply 452 4.2.2 \"full\"",
    "on rcpt first=%u reply 550 5.1.1 \"unknown\"",
    "on rcpt first=%u raw \"250-half\" then reset",
    "on rcpt skip=%u per=transaction reply 452 4.5.3 \"too many\"",
    "on rcpt within=90s per=triplet reply 450 4.2.0 \"greylisted\"",
    "on data first=%u reply 421 4.3.0 \"away\" then close",
    "on data first=%u silence",
    "on body first=%u bytes=5 reset",
    "on eod first=%u reset",
    "on eod first=%u silence",
    "on eod first=%u reply 451 4.3.0 \"later\"",
    "on eod first=%u reply 554 5.7.1 \"spam\"",
    "on eod first=%u delay=30s reply 250 2.0.0 \"slow\"",
    "on starttls first=%u reply 454 4.7.0 \"not now\"",
    "on tls first=%u fail",
    "on rcpt first=%u raw \"450-4.2.0 one\\r\\n550 5.1.1 two\\r\\n\"",
};

static const char *const dns_faults[] = {"servfail", "timeout", "refused", "malformed"};

static const char *const offers[] = {
    "PIPELINING \"SIZE 10485760\" ENHANCEDSTATUSCODES 8BITMIME DSN",
    "PIPELINING \"SIZE 10485760\" ENHANCEDSTATUSCODES 8BITMIME STARTTLS SMTPUTF8",
    "8BITMIME",
    "PIPELINING CHUNKING 8BITMIME",
    "PIPELINING 8BITMIME \"LIMITS RCPTMAX=1 MAILMAX=3\"",
};

static void write_host(struct rng *rng, unsigned site, unsigned number, struct buf *out)
{
    buf_printf(out, "dns s%u.test mx %u mx%u.s%u.test\n", site, (unsigned)rng_below(rng, 3) * 10,
               number, site);
    buf_printf(out, "dns mx%u.s%u.test a 192.0.2.%u\n", number, site, site * 10 + number + 1);
    buf_printf(out, "personality p%u_%u\n  offers %s\n", site, number,
               offers[rng_below(rng, ARRAY_LEN(offers))]);
    buf_printf(out, "host mx%u.s%u.test 192.0.2.%u is p%u_%u\n", number, site,
               site * 10 + number + 1, site, number);
    for (uint64_t i = rng_below(rng, 4); i > 0; i--) {
        const char *fault = faults[rng_below(rng, ARRAY_LEN(faults))], *at = strstr(fault, "%u");
        buf_add_z(out, "    ");
        buf_add(out, fault, at ? (size_t)(at - fault) : strlen(fault));
        if (at)
            buf_printf(out, "%u%s", 1 + (unsigned)rng_below(rng, FAULT_TIMES), at + 2);
        buf_add_c(out, '\n');
    }
}

static void write_world(struct rng *rng, struct buf *out)
{
    buf_add_z(out, "dns portal.test mx 10 mx.portal.test\n"
                   "dns mx.portal.test a 192.0.2.200\n"
                   "personality good\n  offers PIPELINING 8BITMIME DSN\n"
                   "host mx.portal.test 192.0.2.200 is good\n");
    for (unsigned site = 0; site < SITES; site++) {
        if (rng_below(rng, 3) == 0)
            buf_printf(out, "dns s%u.test mx %s first=%u\n", site,
                       dns_faults[rng_below(rng, ARRAY_LEN(dns_faults))],
                       1 + (unsigned)rng_below(rng, 3));
        for (unsigned n = 0; n <= rng_below(rng, 2); n++)
            write_host(rng, site, n, out);
    }
}

static void write_letters(struct rng *rng, struct play *d)
{
    d->letters_n = LETTERS;
    for (unsigned i = 0; i < LETTERS; i++) {
        struct play_letter *l = &d->letters[i];
        snprintf(l->from, sizeof(l->from), "from%u@portal.test", i);
        l->to_n = 1 + (unsigned)rng_below(rng, PLAY_RCPTS_MAX);
        for (unsigned j = 0; j < l->to_n; j++)
            snprintf(l->to[j], sizeof(l->to[j]), "to%u.%u@s%u.test", i, j,
                     (unsigned)rng_below(rng, SITES));
    }
}

/* --- disasters --- */

static bool disaster(struct rng *rng, struct play *d)
{
    switch (rng_below(rng, 4)) {
    case 0:
        play_hang_up(d);
        play_kill(d);
        sim_run_for(d->sim, (int64_t)rng_below(rng, 10 * MINUTE_MS));
        return play_start(d, rng_u64(rng) | 1);
    case 1:
        sim_store_sick(d->sim, rng_below(rng, 2) ? E_FULL : E_IO);
        sim_run_for(d->sim, (int64_t)rng_below(rng, 10 * MINUTE_MS));
        sim_store_sick(d->sim, E_OK);
        return true;
    case 2: sim_store_fail_nth(d->sim, 1 + (unsigned)rng_below(rng, 20)); return true;
    default: sim_jump_wall(d->sim, (int64_t)rng_below(rng, 2 * HOUR_MS) - HOUR_MS); return true;
    }
}

static bool live(struct rng *rng, struct play *d)
{
    bool is_ok = true;
    unsigned each = LETTERS / (DISASTERS + 1) + 1;
    for (unsigned i = 0; i < LETTERS && is_ok; i++) {
        play_hand_over(d, i);
        if (rng_below(rng, 3) > 0)
            sim_run_until(d->sim, play_is_handed_over, d, (int64_t)rng_below(rng, 20 * SECOND_MS));
        if (i % each == each - 1) {
            sim_run_until(d->sim, play_is_handed_over, d, (int64_t)rng_below(rng, 500));
            is_ok = disaster(rng, d);
        }
    }
    sim_run_until(d->sim, play_is_handed_over, d, HOUR_MS);
    play_hang_up(d);
    sim_run_for(d->sim, WEEK_MS);
    return is_ok;
}

/* --- the books --- */

static bool wrong(unsigned seed, const char *from, const char *to, const char *what)
{
    fprintf(stderr, "seed %u: %s to %s: %s\n", seed, from, to, what);
    return false;
}

static bool judge(const struct play *d, unsigned seed, const struct view_row *r)
{
    unsigned got = play_arrived(d, r->from, r->to, false);
    unsigned reports = play_arrived(d, r->from, r->to, true);
    if (!rcpt_state_is_final(r->state))
        return wrong(seed, r->from, r->to, rcpt_state_name(r->state));
    if (r->state == RCPT_DELIVERED && got == 0)
        return wrong(seed, r->from, r->to, "delivered, and did not arrive");
    if (r->state != RCPT_DELIVERED && r->from[0] && reports == 0)
        return wrong(seed, r->from, r->to, "not delivered, and its sender was not told");
    return true;
}

static const struct view_row *row_of(const struct view_row *rows, int n, const char *from,
                                     const char *to)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(rows[i].from, from) == 0 && strcmp(rows[i].to, to) == 0)
            return &rows[i];
    }
    return NULL;
}

static bool balance(const struct play *d, unsigned seed)
{
    static struct view_row rows[ROWS_MAX];
    struct view *v = NULL;
    struct err err = ERR_NONE;
    struct view_query q = {.with_final = true, .now_wall_ms = sim_wall_ms(d->sim)};
    int n = view_open(d->store, &v, &err);
    if (n == 0)
        n = view_rows(v, &q, NULL, false, rows, ROWS_MAX, &err);
    view_close(v);
    if (n < 0)
        return wrong(seed, "store", "view", err.text);
    bool is_right = !d->is_fatal;
    for (int i = 0; i < n; i++)
        is_right = judge(d, seed, &rows[i]) && is_right;
    for (unsigned i = 0; i < d->letters_n; i++) {
        const struct play_letter *l = &d->letters[i];
        for (unsigned j = 0; j < l->to_n && l->is_accepted; j++) {
            if (!row_of(rows, n, l->from, l->to[j]))
                is_right = wrong(seed, l->from, l->to[j], "accepted, and not in the store");
        }
    }
    if (d->world.violations_n > 0)
        is_right = wrong(seed, "engine", "world", buf_text(&d->world.violations));
    return is_right;
}

static bool week(unsigned seed, bool is_loud)
{
    struct play d = {.is_loud = is_loud};
    struct buf text = BUF_INIT;
    struct rng rng;
    rng_init_seed(&rng, seed);
    write_world(&rng, &text);
    write_letters(&rng, &d);
    if (is_loud)
        fputs(buf_text(&text), stderr);
    bool is_right = play_open(&d, buf_text(&text), seed, seed % 2 == 0) && play_start(&d, seed) &&
                    live(&rng, &d) && balance(&d, seed);
    if (is_loud)
        play_show_log(&d);
    play_close(&d);
    buf_done(&text);
    return is_right;
}

int main(int argc, char **argv)
{
    uint64_t n;
    bool is_one = argc == 2 && argv[1][0] == '=';
    if (argc != 2 || !text_parse_u64(str_of(argv[1] + is_one), 1000000, &n) || n == 0) {
        fputs("usage: chaos SEEDS|=SEED\n", stderr);
        return 2;
    }
    if (is_one)
        return week((unsigned)n, true) ? 0 : 1;
    unsigned failed = 0;
    for (unsigned seed = 1; seed <= n; seed++)
        failed += !week(seed, false);
    printf("%u weeks, %u wrong\n", (unsigned)n, failed);
    return failed ? 1 : 0;
}
