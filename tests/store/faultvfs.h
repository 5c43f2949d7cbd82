/* SPDX-License-Identifier: ISC */
/*
 * A file system that fails, and one that forgets: an SQLite VFS in front of the real one, made the
 * default for the tests of this suite.
 *
 * Failing: the Nth write or sync from now on fails, and so do all later ones, until healed.
 * Forgetting: while recording, every write, truncation and sync of a file whose name holds a
 * substring is kept, so that the disk's content at any moment can be made again, with what was not
 * synced then lost in whole or in part.
 */
#ifndef TESTS_STORE_FAULTVFS_H
#define TESTS_STORE_FAULTVFS_H

#include <stdint.h>
#include "core/base/rng.h"

void faultvfs_install(void);

enum fault_kind { FAULT_IOERR, FAULT_FULL, FAULT_SHORT_WRITE };
/* n = 0: never. */
void faultvfs_fail_after(int64_t n, enum fault_kind kind);
/* Writes and syncs since the last call of faultvfs_fail_after. */
int64_t faultvfs_operations(void);

/* Forget all recorded, and record from now on (or stop). */
void faultvfs_record(bool is_on);
/* How many operations are recorded. */
size_t faultvfs_recorded(void);
/*
 * The files as they would be when the power went after operation cut: what was synced is there, of
 * what was not, each 512-octet sector is there or not as rng says. Written to dir under their names.
 */
void faultvfs_replay(size_t cut, struct rng *rng, const char *dir);

#endif
