/* SPDX-License-Identifier: ISC */
/*
 * Sweeps: the same short day is played again and again, and killed after 1, 2, 3 ... events; or its
 * 1st, 2nd, 3rd ... write fails. After each, the books must balance:
 *
 *   - every message that was answered with 250 reaches its server, or its sender gets a report;
 *   - nothing arrives twice, but what was in flight at the kill (RFC 1047);
 *   - the hosts saw no violation.
 *
 *   sweep crash|fail STRIDE
 *   sweep crash|fail =N       only round N, with all that the engine says
 */
#include "core/base/text.h"
#include "tests/scenario/play.h"

#define ROUNDS        20000
#define SETTLED_MS    (6 * HOUR_MS)
#define IN_FLIGHT_MAX 2

static const char world_text[] =
    "dns portal.test mx 10 mx.portal.test\n"
    "dns mx.portal.test a 192.0.2.9\n"
    "dns a.test mx 10 mx.a.test\n"
    "dns mx.a.test a 192.0.2.1\n"
    "dns b.test mx 10 mx.b.test\n"
    "dns mx.b.test a 192.0.2.2\n"
    "dns c.test mx 10 mx.c.test\n"
    "dns mx.c.test a 192.0.2.3\n"
    "dns d.test mx 10 mx.d.test\n"
    "dns mx.d.test a 192.0.2.4\n"
    "dns e.test mx 10 mx.e.test\n"
    "dns mx.e.test a 192.0.2.5\n"
    "personality accept\n"
    "    offers PIPELINING \"SIZE 10485760\" ENHANCEDSTATUSCODES 8BITMIME DSN\n"
    "host mx.portal.test 192.0.2.9 is accept\n"
    "host mx.a.test 192.0.2.1 is accept\n"
    "    on eod delay=40ms reply 250 2.0.0 Ok\n"
    "host mx.b.test 192.0.2.2 is accept\n"
    "    on rcpt within=60s per=triplet reply 450 4.2.0 \"Greylisted\"\n"
    "host mx.c.test 192.0.2.3 is accept\n"
    "    on rcpt bad* reply 550 5.1.1 \"User unknown\"\n"
    "host mx.d.test 192.0.2.4 is accept\n"
    "    on rcpt skip=1 per=transaction reply 452 4.5.3 \"Too many recipients\"\n"
    "host mx.e.test 192.0.2.5 is accept\n"
    "    offers PIPELINING \"SIZE 10485760\" ENHANCEDSTATUSCODES 8BITMIME CHUNKING\n";

static const struct play_letter letters[] = {
    {.from = "s0@portal.test", .to = {"x@a.test"}, .to_n = 1},
    {.from = "s1@portal.test", .to = {"x@a.test", "y@b.test"}, .to_n = 2},
    {.from = "s2@portal.test", .to = {"x@b.test"}, .to_n = 1},
    {.from = "s3@portal.test", .to = {"bad@c.test", "good@c.test"}, .to_n = 2},
    {.from = "s4@portal.test", .to = {"x@c.test"}, .to_n = 1},
    {.from = "s5@portal.test", .to = {"x@d.test", "y@d.test", "z@d.test"}, .to_n = 3},
    {.from = "s6@portal.test", .to = {"x@e.test"}, .to_n = 1, .is_large = true},
};

static bool balance(const struct play *d, unsigned n, bool is_crash)
{
    bool is_right = true;
    for (unsigned i = 0; i < d->letters_n; i++) {
        const struct play_letter *l = &d->letters[i];
        for (unsigned j = 0; j < l->to_n; j++) {
            bool is_bad = strncmp(l->to[j], "bad", 3) == 0;
            unsigned got = play_arrived(d, l->from, l->to[j], is_bad);
            unsigned most = is_crash ? IN_FLIGHT_MAX : 1;
            if ((l->is_accepted && got == 0) || got > most) {
                fprintf(stderr, "%u: %s to %s was %s, and arrived %u times\n", n, l->from, l->to[j],
                        l->is_accepted ? "accepted" : "not accepted", got);
                is_right = false;
            }
        }
    }
    if (d->world.violations_n > 0) {
        fprintf(stderr, "%u: %s", n, buf_text(&d->world.violations));
        is_right = false;
    }
    return is_right && !d->is_fatal;
}

static void live(struct play *d, unsigned n, bool is_crash, bool *is_end)
{
    if (is_crash)
        sim_stop_after(d->sim, n);
    else
        sim_store_fail_nth(d->sim, n);
    for (unsigned i = 0; i < d->letters_n; i++)
        play_hand_over(d, i);
    sim_run_until(d->sim, play_is_handed_over, d, HOUR_MS);
    sim_run_for(d->sim, 10 * SECOND_MS);
    *is_end = is_crash ? !sim_is_stopped(d->sim) : !sim_store_has_failed(d->sim);
    if (is_crash) {
        sim_stop_after(d->sim, 0);
        play_kill(d);
    }
    play_hang_up(d);
}

/* Day number n; *is_end when the day was over before its n-th event. */
static bool round_of(unsigned n, bool is_crash, bool is_loud, bool *is_end)
{
    struct play d = {.is_loud = is_loud, .letters_n = ARRAY_LEN(letters)};
    memcpy(d.letters, letters, sizeof(letters));
    bool is_right = play_open(&d, world_text, 7, false) && play_start(&d, 1);
    if (is_right) {
        sim_run_for(d.sim, 100);
        live(&d, n, is_crash, is_end);
        is_right = !is_crash || play_start(&d, 2);
        sim_run_for(d.sim, SETTLED_MS);
        is_right = is_right && balance(&d, n, is_crash);
        if (is_loud)
            play_show_log(&d);
    }
    play_close(&d);
    return is_right;
}

static int usage(void)
{
    fputs("usage: sweep crash|fail STRIDE|=N\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t number;
    bool is_crash = argc == 3 && strcmp(argv[1], "crash") == 0, is_end = false;
    if (argc != 3 || (!is_crash && strcmp(argv[1], "fail") != 0))
        return usage();
    bool is_one = argv[2][0] == '=';
    if (!text_parse_u64(str_of(argv[2] + is_one), ROUNDS, &number) || number == 0)
        return usage();
    if (is_one)
        return round_of((unsigned)number, is_crash, true, &is_end) ? 0 : 1;
    unsigned n = 1, rounds = 0, wrong = 0;
    for (; !is_end && n < ROUNDS; n += (unsigned)number, rounds++)
        wrong += !round_of(n, is_crash, false, &is_end);
    printf("%u rounds, the day has fewer than %u %s, %u wrong\n", rounds, n,
           is_crash ? "events" : "writes", wrong);
    return wrong || !is_end ? 1 : 0;
}
