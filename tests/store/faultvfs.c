/* SPDX-License-Identifier: ISC */
/* See faultvfs.h. Not thread-safe: the tests that use it run the store in one thread. */
#include "tests/store/faultvfs.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "core/base/alloc.h"

#define SECTOR 512

struct file {
    sqlite3_file base;
    int id; /* in names; -1 = not recorded */
    sqlite3_file *real;
};

enum op_kind { OP_WRITE, OP_TRUNCATE, OP_SYNC };

struct op {
    enum op_kind kind;
    int file;
    int64_t at; /* offset, or new size */
    size_t n;
    char *data; /* own */
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs vfs;
static int64_t fail_left, operations;
static enum fault_kind fail_kind;
static bool is_recording;
static struct op *ops;
static size_t ops_n, ops_cap;
static char names[16][64];
static int names_n;

void faultvfs_fail_after(int64_t n, enum fault_kind kind)
{
    fail_left = n;
    fail_kind = kind;
    operations = 0;
}

int64_t faultvfs_operations(void)
{
    return operations;
}

static bool fails(void)
{
    operations++;
    if (!fail_left)
        return false;
    if (fail_left > 1) {
        fail_left--;
        return false;
    }
    return true;
}

/* --- recording --- */

void faultvfs_record(bool is_on)
{
    if (is_on) {
        for (size_t i = 0; i < ops_n; i++)
            free(ops[i].data);
        ops_n = 0;
        names_n = 0;
    }
    is_recording = is_on;
}

size_t faultvfs_recorded(void)
{
    return ops_n;
}

static void record(struct file *f, enum op_kind kind, int64_t at, const void *data, size_t n)
{
    struct op op = {kind, f->id, at, n, NULL};

    if (!is_recording || f->id < 0)
        return;
    if (n) {
        op.data = xmalloc(n);
        memcpy(op.data, data, n);
    }
    if (ops_n == ops_cap) {
        ops_cap = ops_cap ? ops_cap * 2 : 1024;
        ops = xreallocarray(ops, ops_cap, sizeof(*ops));
    }
    ops[ops_n++] = op;
}

static int name_id(const char *path)
{
    const char *base = path ? strrchr(path, '/') : NULL;

    /* a rollback journal serves only while the file is made, before it is in WAL mode */
    if (!base || !is_recording || strstr(base, "-journal"))
        return -1;
    base++;
    for (int i = 0; i < names_n; i++) {
        if (strcmp(names[i], base) == 0)
            return i;
    }
    if (names_n == 16)
        abort();
    snprintf(names[names_n], sizeof(names[0]), "%s", base);
    return names_n++;
}

static void apply(int fd, const struct op *op, struct rng *rng)
{
    if (op->kind == OP_TRUNCATE) {
        if (!rng || rng_below(rng, 2))
            if (ftruncate(fd, op->at) < 0)
                abort();
        return;
    }
    for (size_t done = 0; done < op->n;) {
        /* to the end of this sector of the file */
        size_t part = SECTOR - (size_t)((op->at + (int64_t)done) % SECTOR);

        if (part > op->n - done)
            part = op->n - done;
        if ((!rng || rng_below(rng, 2)) &&
            pwrite(fd, op->data + done, part, op->at + (int64_t)done) != (ssize_t)part)
            abort();
        done += part;
    }
}

void faultvfs_replay(size_t cut, struct rng *rng, const char *dir)
{
    for (int f = 0; f < names_n; f++) {
        char *path = xasprintf("%s/%s", dir, names[f]);
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0640);
        size_t synced = 0;

        for (size_t i = 0; i < cut; i++) {
            if (ops[i].file == f && ops[i].kind == OP_SYNC)
                synced = i;
        }
        for (size_t i = 0; i < cut; i++) {
            if (ops[i].file == f && ops[i].kind != OP_SYNC)
                apply(fd, &ops[i], i < synced ? NULL : rng);
        }
        close(fd);
        free(path);
    }
}

/* --- the file methods --- */

#define REAL(f) (((struct file *)(f))->real)

static int f_close(sqlite3_file *f)
{
    int rc = REAL(f)->pMethods->xClose(REAL(f));

    free(REAL(f));
    return rc;
}

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return REAL(f)->pMethods->xRead(REAL(f), p, n, at);
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    if (fails()) {
        if (fail_kind == FAULT_SHORT_WRITE) /* what the disk took before it failed */
            REAL(f)->pMethods->xWrite(REAL(f), p, n / 2, at);
        return fail_kind == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    record((struct file *)f, OP_WRITE, at, p, (size_t)n);
    return REAL(f)->pMethods->xWrite(REAL(f), p, n, at);
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    record((struct file *)f, OP_TRUNCATE, size, NULL, 0);
    return REAL(f)->pMethods->xTruncate(REAL(f), size);
}

static int f_sync(sqlite3_file *f, int flags)
{
    if (fails())
        return SQLITE_IOERR_FSYNC;
    record((struct file *)f, OP_SYNC, 0, NULL, 0);
    return is_recording ? SQLITE_OK : REAL(f)->pMethods->xSync(REAL(f), flags);
}

static int f_size(sqlite3_file *f, sqlite3_int64 *out)
{
    return REAL(f)->pMethods->xFileSize(REAL(f), out);
}

static int f_lock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xLock(REAL(f), level);
}

static int f_unlock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int f_check_lock(sqlite3_file *f, int *out)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}

/* No promise of a device that cannot tear a sector run: the worst disk is the one to survive. */
static int f_device(sqlite3_file *f)
{
    (void)f;
    return 0;
}

static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return REAL(f)->pMethods->xShmLock(REAL(f), at, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int f_shm_unmap(sqlite3_file *f, int del)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), del);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_check_lock,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_device,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

static int v_open(sqlite3_vfs *v, const char *name, sqlite3_file *out, int flags, int *out_flags)
{
    struct file *f = (struct file *)out;
    int rc;

    (void)v;
    *f = (struct file){.id = name_id(name), .real = xcalloc(1, (size_t)real_vfs->szOsFile)};
    rc = real_vfs->xOpen(real_vfs, name, f->real, flags, out_flags);
    if (rc == SQLITE_OK)
        f->base.pMethods = &methods;
    else
        free(f->real);
    return rc;
}

void faultvfs_install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "fault";
    vfs.szOsFile = sizeof(struct file);
    vfs.xOpen = v_open;
    vfs.pNext = NULL;
    sqlite3_vfs_register(&vfs, 1);
}
