/* SPDX-License-Identifier: ISC */
/*
 * Space kept back for the worst day. On a full disk even DELETE needs room in the WAL, and a checkpoint
 * must grow the database: 64 MiB given back let both go on (measured: less than the WAL's size does not).
 */
#include "store/store_private.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/alloc.h"

#define BALLAST_BYTES    (INT64_C(64) << 20)
#define BALLAST_MIN_FREE (UINT64_C(1) << 30)

void ballast_make(const char *dir)
{
    struct statvfs v;
    char *path;
    int fd;

    if (statvfs(dir, &v) < 0 || (uint64_t)v.f_bavail * v.f_frsize < BALLAST_MIN_FREE)
        return;
    path = xasprintf("%s/ballast", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd >= 0) {
        if (posix_fallocate(fd, 0, BALLAST_BYTES) != 0)
            unlink(path);
        close(fd);
    }
    free(path);
}

void ballast_drop(const char *dir)
{
    char *path = xasprintf("%s/ballast", dir);

    unlink(path);
    free(path);
}
