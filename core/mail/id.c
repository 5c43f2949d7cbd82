/* SPDX-License-Identifier: ISC */
/*
 * Identifiers and their text. 31 letters are enough for 63 bits in 13 places (31^13 > 2^63), so the
 * alphabet can do without all five vowels; it is in ASCII order, so text sorts like the number.
 */
#include "core/mail/id.h"

#define EPOCH_WALL_MS INT64_C(1577836800000) /* 2020-01-01T00:00:00Z */
#define SEQ_BITS      14
#define NODE_BITS     8
#define TIME_SHIFT    (SEQ_BITS + NODE_BITS)
#define TIME_MAX      ((INT64_C(1) << 41) - 1)
#define SEQ_MAX       ((1 << SEQ_BITS) - 1)

static const char alphabet[] = "0123456789BCDFGHJKLMNPQRSTVWXYZ";
#define BASE       31
#define ID_LETTERS (ID_TEXT_MAX - 1)
_Static_assert(sizeof(alphabet) - 1 == BASE, "one letter per digit");

static int64_t time_part(int64_t wall_ms)
{
    if (wall_ms <= EPOCH_WALL_MS)
        return 0;
    int64_t t = wall_ms - EPOCH_WALL_MS;
    return t > TIME_MAX ? TIME_MAX : t;
}

void idgen_init(struct idgen *g, unsigned node, int64_t last_known)
{
    g->last = last_known > 0 ? last_known : 0;
    g->node = node & ((1u << NODE_BITS) - 1);
}

int64_t idgen_next(struct idgen *g, int64_t wall_ms)
{
    int64_t last_time = g->last >> TIME_SHIFT;
    int64_t now = time_part(wall_ms);
    int64_t t = now > last_time ? now : last_time;
    int64_t node = (int64_t)g->node << SEQ_BITS;
    int64_t id = (t << TIME_SHIFT) | node;
    if (id <= g->last) {
        bool is_same_node = (g->last >> SEQ_BITS) == (id >> SEQ_BITS);
        if (is_same_node && (g->last & SEQ_MAX) < SEQ_MAX)
            id = g->last + 1;
        else if (t < TIME_MAX)
            id = ((t + 1) << TIME_SHIFT) | node; /* borrow from the next millisecond */
        else
            id = g->last + 1; /* a clock in the far future: order counts more than the node */
    }
    verify(id > g->last);
    g->last = id;
    return id;
}

int64_t id_wall_ms(int64_t id)
{
    return (id >> TIME_SHIFT) + EPOCH_WALL_MS;
}

int64_t id_floor(int64_t wall_ms)
{
    return time_part(wall_ms) << TIME_SHIFT;
}

const char *id_text(int64_t id, char out[ID_TEXT_MAX])
{
    uint64_t rest = (uint64_t)id;
    for (size_t i = ID_LETTERS; i > 0; i--) {
        out[i - 1] = alphabet[rest % BASE];
        rest /= BASE;
    }
    out[ID_LETTERS] = '\0';
    return out;
}

static int letter_value(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

bool id_parse(struct str s, int64_t *out)
{
    if (s.n != ID_LETTERS)
        return false;
    uint64_t id = 0;
    for (size_t i = 0; i < s.n; i++) {
        int v = letter_value(s.p[i]);
        if (v < 0 || id > ((uint64_t)INT64_MAX - (uint64_t)v) / BASE)
            return false;
        id = id * BASE + (uint64_t)v;
    }
    *out = (int64_t)id;
    return true;
}
