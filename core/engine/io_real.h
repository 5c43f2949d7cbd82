/* SPDX-License-Identifier: ISC */
/* The engine's door to the real world: core/net and the store's thread. */
#ifndef ENGINE_IO_REAL_H
#define ENGINE_IO_REAL_H

#include "core/engine/io.h"

struct io_real;

/* Opens the store (starting its thread) and the resolver. E_* with one sentence. Returns new. */
int io_real_new(struct loop *loop, const struct conf *conf, const struct log *log,
                struct io_real **out, struct err *err);
/* Without a store, for a look at the world before anything runs: jobs must not be submitted. */
int io_real_new_without_store(struct loop *loop, const struct conf *conf, struct io_real **out,
                              struct err *err);
struct io *io_real_io(struct io_real *r);
/* Run what the store still has, and close it; after this the engine may be freed. */
void io_real_close_store(struct io_real *r);
void io_real_free(struct io_real *r);

#endif
