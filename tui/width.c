/* SPDX-License-Identifier: ISC */
#include "tui/width.h"

#include "core/base/text.h"
#include "tui/width_table.h"

static bool is_in(const struct width_range *r, size_t n, int32_t cp)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (cp < r[mid].first)
            hi = mid;
        else if (cp > r[mid].last)
            lo = mid + 1;
        else
            return true;
    }
    return false;
}

int width_char(int32_t cp)
{
    if (cp >= 0x20 && cp < 0x7f)
        return 1;
    if (cp < 0xa0 || cp > 0x10ffff)
        return -1;
    if (is_in(refused, ARRAY_LEN(refused), cp))
        return -1;
    if (is_in(joining, ARRAY_LEN(joining), cp))
        return 0;
    return is_in(wide, ARRAY_LEN(wide), cp) ? 2 : 1;
}

int width_text(struct str s)
{
    int columns = 0;

    while (s.n > 0) {
        size_t len;
        int w = width_char(text_utf8_next(s, &len));

        columns += w < 0 ? 1 : w;
        s = str_sub(s, len, s.n);
    }
    return columns;
}
