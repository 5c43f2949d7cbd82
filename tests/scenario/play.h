/* SPDX-License-Identifier: ISC */
/*
 * A day of the engine against a world, for sweeps: clients hand letters over one reply at a time, and
 * remember which were answered with 250.
 */
#ifndef SCENARIO_PLAY_H
#define SCENARIO_PLAY_H

#include "core/engine/engine.h"
#include "tests/world/sim.h"

#define PLAY_LETTERS_MAX 64
#define PLAY_RCPTS_MAX   3

/* The sender is unique, so that a report shows whose it is. */
struct play_letter {
    char from[64];
    char to[PLAY_RCPTS_MAX][64];
    unsigned to_n;
    bool is_large; /* 1.2 MB: goes in chunks where they are taken */
    struct sim_client *conn; /* own */
    unsigned step;
    bool is_accepted, is_over;
};

struct play {
    char *dir, *store; /* own */
    struct world world;
    struct conf conf;
    struct sim *sim;
    struct engine *engine; /* own, NULL when it does not run */
    struct log log;
    struct play_letter letters[PLAY_LETTERS_MAX];
    unsigned letters_n;
    bool is_fatal, is_loud;
};

/* World, configuration, store directory, simulator; the engine does not run yet. False after a message. */
bool play_open(struct play *d, const char *world_text, uint64_t seed, bool split);
void play_close(struct play *d); /* fine after a failed play_open */
bool play_start(struct play *d, uint64_t seed);
void play_kill(struct play *d); /* as kill -9 */
/* Connect a client for letters[i]. */
void play_hand_over(struct play *d, unsigned i);
/* Move every client on; true when all are done. A predicate for sim_run_until. */
bool play_is_handed_over(void *play);
void play_hang_up(struct play *d);
/* How often that recipient got that letter; is_report: how many reports its sender got. */
unsigned play_arrived(const struct play *d, const char *from, const char *to, bool is_report);
void play_show_log(const struct play *d);

#endif
