/* SPDX-License-Identifier: ISC */
/*
 * A filter in the first line, a line of log behind it: what parses has a canonical text that parses
 * to the same filter and gives the same answer.
 */
#include "core/mail/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1795507334000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str line = {(const char *)data, size};
    struct str text = str_split(&line, '\n');
    struct buf canonical = BUF_INIT, twice = BUF_INIT;
    struct err err = ERR_NONE;
    struct filter f, again;

    if (filter_parse(text, NOW, &f, &err) != 0) {
        verify(f.n == 0 && err.text[0]);
        return 0;
    }
    filter_text(&f, &canonical);
    if (canonical.n <= FILTER_BYTES_MAX) {
        verify(filter_parse(buf_str(&canonical), NOW, &again, &err) == 0);
        verify(again.n == f.n);
        filter_text(&again, &twice);
        verify(str_eq(buf_str(&canonical), buf_str(&twice)));
        verify(filter_match_line(&f, line, NOW) == filter_match_line(&again, line, NOW));
        filter_done(&again);
    }
    filter_done(&f);
    buf_done(&canonical);
    buf_done(&twice);
    return 0;
}
