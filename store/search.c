/* SPDX-License-Identifier: ISC */
/*
 * Substring search. A block of positions is tested at once for two octets of the needle, the two
 * that are least likely in a mail log; only where both fit is the needle compared. Letters are folded
 * by setting bit 5, which lets a few other octets through to the comparison: it decides.
 */
#include "store/search_private.h"

#include "core/base/base.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_X86 1
#endif

/* Octets of a mail log, most frequent first (counted over a million lines); others are rarer. */
static const char frequent[] = " e=ao,s.0trn1i2dl:cm543/<>-u[]p678y9fgh@bvkx()w_z;\"jq+#";

static unsigned rarity(char c)
{
    const char *at = c ? strchr(frequent, c) : NULL;

    return at ? (unsigned)(at - frequent) : (unsigned)sizeof(frequent);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

void needle_init(struct needle *nd, struct str text)
{
    *nd = (struct needle){.n = text.n < sizeof(nd->text) ? text.n : sizeof(nd->text) - 1};
    for (size_t i = 0; i < nd->n; i++)
        nd->text[i] = lower(text.p[i]);
    for (size_t i = 1; i < nd->n; i++) {
        if (rarity(nd->text[i]) > rarity(nd->text[nd->rare]))
            nd->rare = i;
    }
    nd->rare2 = nd->rare == 0 && nd->n > 1 ? 1 : 0;
    for (size_t i = 0; i < nd->n; i++) {
        if (i != nd->rare && rarity(nd->text[i]) > rarity(nd->text[nd->rare2]))
            nd->rare2 = i;
    }
}

static bool is_here(const struct needle *nd, const char *p)
{
    for (size_t i = 0; i < nd->n; i++) {
        if (lower(p[i]) != nd->text[i])
            return false;
    }
    return true;
}

/* --- portable --- */

/* The last place in [0, past) where the needle begins. */
static size_t scan_back(const struct needle *nd, const char *p, size_t past)
{
    char rare = nd->text[nd->rare];

    while (past-- > 0) {
        if (lower(p[past + nd->rare]) == rare && is_here(nd, p + past))
            return past;
    }
    return SIZE_MAX;
}

/* The first place in [from, past). */
static size_t scan_on(const struct needle *nd, const char *p, size_t from, size_t past)
{
    char rare = nd->text[nd->rare];

    for (; from < past; from++) {
        if (lower(p[from + nd->rare]) == rare && is_here(nd, p + from))
            return from;
    }
    return SIZE_MAX;
}

static size_t rfind_portable(const struct needle *nd, const char *p, size_t end)
{
    return scan_back(nd, p, end - nd->n + 1);
}

static size_t find_portable(const struct needle *nd, const char *p, size_t n)
{
    return scan_on(nd, p, 0, n - nd->n + 1);
}

static bool always(void)
{
    return true;
}

/* --- x86-64 --- */

#ifdef HAVE_X86

/* Bit 5 for a letter, else nothing: what is or-ed to text before it is compared. */
static char fold_bit(char c)
{
    return c >= 'a' && c <= 'z' ? 0x20 : 0;
}

/*
 * Each way is the same loop over another width. It is written as a macro because the target
 * attribute must stand on every function that uses the wide types.
 */
#define SEARCH_WAY(name, TARGET, VEC, WIDTH, MASK, LOAD, SET1, OR, AND, EQ, MOVEMASK)              \
    TARGET static MASK candidates_##name(const struct needle *nd, const char *p)                   \
    {                                                                                              \
        VEC a = LOAD((const void *)(p + nd->rare));                                                \
        VEC b = LOAD((const void *)(p + nd->rare2));                                               \
        char ca = nd->text[nd->rare], cb = nd->text[nd->rare2];                                    \
                                                                                                   \
        a = EQ(OR(a, SET1(fold_bit(ca))), SET1(ca));                                               \
        b = EQ(OR(b, SET1(fold_bit(cb))), SET1(cb));                                               \
        return (MASK)MOVEMASK(AND(a, b));                                                          \
    }                                                                                              \
                                                                                                   \
    TARGET static size_t rfind_##name(const struct needle *nd, const char *p, size_t end)          \
    {                                                                                              \
        size_t past = end - nd->n + 1;                                                             \
                                                                                                   \
        for (; past >= WIDTH; past -= WIDTH) {                                                     \
            const char *at = p + past - WIDTH;                                                     \
            MASK m = candidates_##name(nd, at);                                                    \
                                                                                                   \
            while (m) {                                                                            \
                unsigned bit = 31u - (unsigned)__builtin_clz(m);                                   \
                                                                                                   \
                if (is_here(nd, at + bit))                                                         \
                    return (size_t)(at - p) + bit;                                                 \
                m &= ~((MASK)1 << bit);                                                            \
            }                                                                                      \
        }                                                                                          \
        return scan_back(nd, p, past);                                                             \
    }                                                                                              \
                                                                                                   \
    TARGET static size_t find_##name(const struct needle *nd, const char *p, size_t n)             \
    {                                                                                              \
        size_t past = n - nd->n + 1, i = 0;                                                        \
                                                                                                   \
        for (; i + WIDTH <= past; i += WIDTH) {                                                    \
            MASK m = candidates_##name(nd, p + i);                                                 \
                                                                                                   \
            for (; m; m &= m - 1) {                                                                \
                unsigned bit = (unsigned)__builtin_ctz(m);                                         \
                                                                                                   \
                if (is_here(nd, p + i + bit))                                                      \
                    return i + bit;                                                                \
            }                                                                                      \
        }                                                                                          \
        return scan_on(nd, p, i, past);                                                            \
    }

SEARCH_WAY(avx2, __attribute__((target("avx2"))), __m256i, 32, uint32_t, _mm256_loadu_si256,
           _mm256_set1_epi8, _mm256_or_si256, _mm256_and_si256, _mm256_cmpeq_epi8,
           _mm256_movemask_epi8)
SEARCH_WAY(sse2, __attribute__((target("sse2"))), __m128i, 16, uint32_t, _mm_loadu_si128,
           _mm_set1_epi8, _mm_or_si128, _mm_and_si128, _mm_cmpeq_epi8, _mm_movemask_epi8)

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

#endif

const struct search_way search_ways[] = {
#ifdef HAVE_X86
    {.name = "avx2", .is_usable = has_avx2, .rfind = rfind_avx2, .find = find_avx2},
    {.name = "sse2", .is_usable = always, .rfind = rfind_sse2, .find = find_sse2},
#endif
    {.name = "portable", .is_usable = always, .rfind = rfind_portable, .find = find_portable},
};
const size_t search_way_count = ARRAY_LEN(search_ways);

static const struct search_way *best_way(void)
{
    return search_ways[0].is_usable() ? &search_ways[0] : &search_ways[1];
}

size_t needle_rfind(const struct needle *nd, const char *p, size_t end)
{
    if (nd->n == 0)
        return end;
    return end < nd->n ? SIZE_MAX : best_way()->rfind(nd, p, end);
}

size_t needle_find(const struct needle *nd, const char *p, size_t n)
{
    if (nd->n == 0)
        return 0;
    return n < nd->n ? SIZE_MAX : best_way()->find(nd, p, n);
}
