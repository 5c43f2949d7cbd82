/* SPDX-License-Identifier: ISC */
/*
 * What every file may rely on: attributes, a few macros, and the C library names that nobody here
 * may use. Included first by every header of core/base, so it is always there.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NODISCARD                     __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a)             __attribute__((format(printf, f, a)))
#define UNUSED                        __attribute__((unused))
#define CLEANUP(fn)                   __attribute__((cleanup(fn)))
#define ARRAY_LEN(a)                  (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

/* A broken invariant: abort with the place. The queue is durable, so a restart loses nothing. Never
 * used on anything that a peer, an operator's file or the disk can cause. */
#define verify(cond) ((cond) ? (void)0 : base_bug(#cond, __FILE__, __LINE__))
_Noreturn void base_bug(const char *what, const char *file, int line);

/* Unbounded or state-hiding: use buf, text_parse_* and str instead. */
#pragma GCC poison strcpy strcat sprintf vsprintf strtok atoi atol atoll gets

#endif
