/* SPDX-License-Identifier: ISC */
/* A program in a terminal emulator (libvterm) on a pty: bytes in, screen text out. */
#ifndef TESTS_SCREEN_TERM_EMULATOR_H
#define TESTS_SCREEN_TERM_EMULATOR_H

#include "core/base/buf.h"

struct emulator;

struct emulator_conf {
    int w, h;
    char *const *argv; /* borrowed for the call, as env: "NAME=value" ... NULL */
    char *const *env;
};

/* Starts the program; aborts when there is no pty. Returns new (free with emulator_free). */
struct emulator *emulator_new(const struct emulator_conf *c);
/* Kills the program when it still runs. */
void emulator_free(struct emulator *e);
void emulator_send(struct emulator *e, struct str bytes);
void emulator_resize(struct emulator *e, int w, int h);
/* Read until nothing came for quiet_ms, at most max_ms. False when the program is gone. */
bool emulator_settle(struct emulator *e, int quiet_ms, int max_ms);
/* Read until text stands on the screen; false after max_ms. */
bool emulator_until(struct emulator *e, const char *text, int max_ms);
/* Wait for the program's end: its exit status, 128 + signal, or -1 after max_ms. */
int emulator_wait(struct emulator *e, int max_ms);
void emulator_signal(struct emulator *e, int signum);
/* Rows without trailing blanks. */
void emulator_text(struct emulator *e, struct buf *out);
/* "fg=1 bold reverse" of the first cell of text; false when it is not on the screen. */
bool emulator_style(struct emulator *e, const char *text, struct buf *out);
/* All bytes that the program wrote since the start, or since the last emulator_raw_clear. */
struct str emulator_raw(const struct emulator *e);
void emulator_raw_clear(struct emulator *e);
bool emulator_is_alt_screen(const struct emulator *e);

#endif
