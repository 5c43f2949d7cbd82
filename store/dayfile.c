/* SPDX-License-Identifier: ISC */
/* Names and blocks of the day files. Blocks are checked when read: a damaged one is skipped, never
 * trusted. */
#include "store/dayfile.h"

#include <dirent.h>
#include <errno.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/id.h"

void dayfile_name(int64_t id, char out[DAYFILE_NAME_MAX])
{
    char day[16];

    snprintf(out, DAYFILE_NAME_MAX, "log-%.8s.db", text_day(id_wall_ms(id), day));
}

static bool is_day_name(const char *name)
{
    return strlen(name) == 15 && memcmp(name, "log-", 4) == 0 &&
           strspn(name + 4, "0123456789") == 8 && memcmp(name + 12, ".db", 4) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int dayfile_list(const char *dir, char (**out)[DAYFILE_NAME_MAX], size_t *n, struct err *err)
{
    char(*names)[DAYFILE_NAME_MAX] = NULL;
    size_t count = 0, cap = 0;
    struct dirent *e;
    DIR *d = opendir(dir);

    if (!d)
        return err_sys(err,
                       errno == EACCES   ? E_DENIED
                       : errno == ENOENT ? E_NOTFOUND
                                         : E_IO,
                       errno, "read the directory %s", dir);
    while ((e = readdir(d))) {
        if (!is_day_name(e->d_name))
            continue;
        if (count == cap) {
            cap = cap ? cap * 2 : 16;
            names = xreallocarray(names, cap, sizeof(*names));
        }
        memcpy(names[count++], e->d_name, 16);
    }
    closedir(d);
    if (count)
        qsort(names, count, sizeof(*names), by_name);
    *out = names;
    *n = count;
    return 0;
}

/* --- blocks --- */

static void put_le(unsigned char *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get_le(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

void dayfile_meta_put(struct buf *meta, const struct dayfile_line *l)
{
    unsigned char b[DAYFILE_META_BYTES];

    put_le(b, (uint64_t)l->id, 8);
    put_le(b + 8, (uint64_t)l->wall_ms, 8);
    put_le(b + 16, l->at, 4);
    buf_add(meta, b, sizeof(b));
}

struct dayfile_line dayfile_meta_get(const char *meta, size_t i)
{
    const unsigned char *b = (const unsigned char *)meta + i * DAYFILE_META_BYTES;

    return (struct dayfile_line){
        .id = (int64_t)get_le(b, 8),
        .wall_ms = (int64_t)get_le(b + 8, 8),
        .at = (uint32_t)get_le(b + 16, 4),
    };
}

bool dayfile_block_read(sqlite3_stmt *st, struct dayfile_block *out)
{
    int64_t n = sqlite3_column_int64(st, 2);

    out->first = sqlite3_column_int64(st, 0);
    out->last = sqlite3_column_int64(st, 1);
    out->meta = sqlite3_column_blob(st, 3);
    size_t meta_n = (size_t)sqlite3_column_bytes(st, 3);
    out->data = sqlite3_column_blob(st, 4);
    out->data_n = (size_t)sqlite3_column_bytes(st, 4);
    if (n < 1 || n > INT32_MAX || meta_n != (size_t)n * DAYFILE_META_BYTES || !out->meta ||
        !out->data || !out->data_n || out->data[out->data_n - 1] != '\n')
        return false;
    out->n = (size_t)n;
    return true;
}

size_t dayfile_block_start(const struct dayfile_block *b, size_t i)
{
    size_t at = i < b->n ? dayfile_meta_get(b->meta, i).at : b->data_n;

    return at < b->data_n ? at : b->data_n;
}

struct str dayfile_block_line(const struct dayfile_block *b, size_t i)
{
    size_t at = dayfile_block_start(b, i), end = dayfile_block_start(b, i + 1);

    return end > at ? (struct str){b->data + at, end - at - 1} : STR("");
}

size_t dayfile_block_line_at(const struct dayfile_block *b, size_t at)
{
    size_t lo = 0, hi = b->n; /* the line is in [lo, hi) */

    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;

        if (dayfile_meta_get(b->meta, mid).at <= at)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

size_t dayfile_block_seek(const struct dayfile_block *b, int64_t id)
{
    size_t lo = 0, hi = b->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (dayfile_meta_get(b->meta, mid).id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}
