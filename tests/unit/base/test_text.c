/* SPDX-License-Identifier: ISC */
/* Hostile bytes made printable; numbers and sizes. */
#include "tests/unit/unit.h"
#include "core/base/rng.h"
#include "core/base/text.h"

static const struct {
    const char *name;
    struct str in;
    const char *want;
    size_t tokens;
} printable_rows[] = {
    {"nothing", STR_NONE, "", 0},
    {"clean ASCII", STR("550 5.1.1 <bob@example.com>: User unknown"),
     "550 5.1.1 <bob@example.com>: User unknown", 0},
    {"all of printable ASCII",
     STR(" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
         "abcdefghijklmnopqrstuvwxyz{|}~"),
     " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
     "abcdefghijklmnopqrstuvwxyz{|}~",
     0},
    {"valid UTF-8 stays",
     STR("Gr\xc3\xbc\xc3\x9f"
         "e \xe4\xb8\xad \xf0\x9f\x98\x80"),
     "Gr\xc3\xbc\xc3\x9f"
     "e \xe4\xb8\xad \xf0\x9f\x98\x80",
     0},
    {"combining mark stays", STR("e\xcc\x81"), "e\xcc\x81", 0},
    {"escape sequence", STR("\033[31mred\033[0m"), "^[[31mred^[[0m", 2},
    {"escape in the middle of a long clean line",
     STR("0123456789abcdef\033]0;title\007 rest of it"), "0123456789abcdef^[]0;title^G rest of it",
     2},
    {"NUL", STR("a\0b"), "a^@b", 1},
    {"tab", STR("a\tb"), "a^Ib", 1},
    {"bare CR hides what was before", STR("spam\rok  "), "spam^Mok  ", 1},
    {"bare LF forges a line", STR("a\nb"), "a^Jb", 1},
    {"backspace", STR("no\b\byes"), "no^H^Hyes", 2},
    {"last of C0", STR("\x1f"), "^_", 1},
    {"DEL",
     STR("a\x7f"
         "b"),
     "a^?b", 1},
    {"C1 as UTF-8",
     STR("\xc2\x9b"
         "31m"),
     "<9B>31m", 1},
    {"first and last of C1", STR("\xc2\x80\xc2\x9f"), "<80><9F>", 2},
    {"first after C1 stays", STR("\xc2\xa0"), "\xc2\xa0", 0},
    {"raw C1 byte",
     STR("\x9b"
         "31m"),
     "<9B>31m", 1},
    {"bidi override",
     STR("\xe2\x80\xae"
         "gnp.exe"),
     "<U+202E>gnp.exe", 1},
    {"bidi isolates", STR("\xe2\x81\xa6\xe2\x81\xa9"), "<U+2066><U+2069>", 2},
    {"Arabic letter mark", STR("\xd8\x9c"), "<U+061C>", 1},
    {"zero width space and joiners", STR("pay\xe2\x80\x8bpal\xe2\x80\x8c\xe2\x80\x8d"),
     "pay<U+200B>pal<U+200C><U+200D>", 3},
    {"marks", STR("\xe2\x80\x8e\xe2\x80\x8f"), "<U+200E><U+200F>", 2},
    {"word joiner", STR("\xe2\x81\xa0"), "<U+2060>", 1},
    {"line and paragraph separators", STR("\xe2\x80\xa8\xe2\x80\xa9"), "<U+2028><U+2029>", 2},
    {"byte order mark", STR("\xef\xbb\xbf"), "<U+FEFF>", 1},
    {"soft hyphen", STR("\xc2\xad"), "<U+00AD>", 1},
    {"tag character", STR("\xf3\xa0\x81\x81"), "<U+E0041>", 1},
    {"hyphen beside the separators stays", STR("\xe2\x80\xa7"), "\xe2\x80\xa7", 0},
    {"narrow space behind the overrides stays", STR("\xe2\x80\xaf"), "\xe2\x80\xaf", 0},
    {"overlong slash", STR("\xc0\xaf"), "<C0><AF>", 2},
    {"overlong escape of three bytes", STR("\xe0\x80\x9b"), "<E0><80><9B>", 3},
    {"overlong of four bytes", STR("\xf0\x80\x80\x9b"), "<F0><80><80><9B>", 4},
    {"surrogate", STR("\xed\xa0\x80"), "<ED><A0><80>", 3},
    {"above the last code point", STR("\xf4\x90\x80\x80"), "<F4><90><80><80>", 4},
    {"lead bytes that lead nowhere", STR("\xf5\xff\xfe"), "<F5><FF><FE>", 3},
    {"continuation alone",
     STR("a\x80"
         "b"),
     "a<80>b", 1},
    {"cut in the middle", STR("a\xe4\xb8"), "a<E4><B8>", 2},
    {"cut by ASCII",
     STR("\xe4\xb8"
         "a"),
     "<E4><B8>a", 2},
    {"a good one right after a bad one", STR("\xe4\xc3\xbc"), "<E4>\xc3\xbc", 1},
};

static void printable_makes_hostile_bytes_harmless(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(printable_rows); i++) {
        struct buf out = BUF_INIT;
        size_t tokens = text_printable(&out, printable_rows[i].in, false);

        row_text(printable_rows[i].name, buf_text(&out), printable_rows[i].want);
        row_int(printable_rows[i].name, tokens, printable_rows[i].tokens);
        buf_done(&out);
    }
}

static void printable_finds_a_bad_byte_at_every_place(void **state)
{
    (void)state;
    static const unsigned char bad[] = {0x00, 0x1f, 0x7f, 0x80, 0xff};

    for (size_t n = 1; n < 40; n++) {
        for (size_t at = 0; at < n; at++) {
            for (size_t k = 0; k < ARRAY_LEN(bad); k++) {
                char in[40];
                struct buf out = BUF_INIT;

                /* '~' and ' ' are the neighbours of what is not allowed. */
                memset(in, at % 2 ? '~' : ' ', sizeof(in));
                in[at] = (char)bad[k];
                assert_int_equal(text_printable(&out, (struct str){in, n}, false), 1);
                assert_int_equal(out.n, n - 1 + (bad[k] < 0x80 ? 2 : 4));
                assert_memory_equal(out.p, in, at);
                buf_done(&out);
            }
        }
    }
}

/* No byte that a terminal obeys may come out, whatever went in; and what came out is clean. */
static void printable_output_of_noise_is_clean_utf8(void **state)
{
    (void)state;
    struct rng r;

    rng_init_seed(&r, 1);
    for (int round = 0; round < 3000; round++) {
        char in[64];
        struct buf out = BUF_INIT, again = BUF_INIT;

        for (size_t i = 0; i < sizeof(in); i++)
            in[i] = (char)(rng_below(&r, 4) ? rng_u64(&r) : 0xe2 - rng_below(&r, 0x65));
        text_printable(&out, (struct str){in, rng_below(&r, sizeof(in))}, round % 2);
        assert_true(text_is_utf8(buf_str(&out)));
        assert_int_equal(text_printable(&again, buf_str(&out), false), 0);
        assert_true(str_eq(buf_str(&again), buf_str(&out)));
        buf_done(&out);
        buf_done(&again);
    }
}

static void printable_joins_the_lines_of_a_reply(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct str in;
        bool join;
        const char *want;
        size_t tokens;
    } rows[] = {
        {"joined", STR("550-first\r\n550 second\r\n"), true, "550-first 550 second", 0},
        {"not joined", STR("a\r\nb"), false, "a^M^Jb", 2},
        {"empty line", STR("a\r\n\r\nb"), true, "a  b", 0},
        {"bare LF is not a line end", STR("a\nb"), true, "a^Jb", 1},
        {"bare CR is not a line end", STR("a\rb\r"), true, "a^Mb^M", 2},
        {"CR CR LF", STR("a\r\r\nb"), true, "a^M b", 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = BUF_INIT;

        row_int(rows[i].name, text_printable(&out, rows[i].in, rows[i].join), rows[i].tokens);
        row_text(rows[i].name, buf_text(&out), rows[i].want);
        buf_done(&out);
    }
}

static void printable_appends(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;

    buf_add_z(&out, "front ");
    text_printable(&out, STR("x\033"), false);
    assert_string_equal(buf_text(&out), "front x^[");
    buf_done(&out);
}

static void printable_copy_cuts_where_a_character_ends(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct str in;
        size_t size;
        const char *want;
    } rows[] = {
        {"fits", STR("abc"), 4, "abc"},
        {"cut ASCII", STR("abcdef"), 4, "abc"},
        {"character stays whole", STR("ab\xc3\xbc"), 4, "ab"},
        {"character fits", STR("ab\xc3\xbc"), 5, "ab\xc3\xbc"},
        {"token stays whole", STR("ab\x9b"), 6, "ab"},
        {"token fits", STR("ab\x9b"), 7, "ab<9B>"},
        {"room for the NUL alone", STR("abc"), 1, ""},
        {"nothing after what did not fit",
         STR("a\x9b"
             "b"),
         4, "a"},
        {"lines are joined", STR("a\r\nb\r\n"), 8, "a b"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[16];

        memset(out, 'Z', sizeof(out));
        text_printable_copy(rows[i].in, out, rows[i].size);
        row_text(rows[i].name, out, rows[i].want);
        row_int(rows[i].name, out[rows[i].size], 'Z');
    }
}

static void utf8_next_decodes_the_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct str in;
        int32_t want;
        size_t len;
    } rows[] = {
        {"U+007F", STR("\x7f"), 0x7f, 1},
        {"U+0080", STR("\xc2\x80"), 0x80, 2},
        {"U+07FF", STR("\xdf\xbf"), 0x7ff, 2},
        {"U+0800", STR("\xe0\xa0\x80"), 0x800, 3},
        {"U+D7FF", STR("\xed\x9f\xbf"), 0xd7ff, 3},
        {"U+E000", STR("\xee\x80\x80"), 0xe000, 3},
        {"U+FFFF", STR("\xef\xbf\xbf"), 0xffff, 3},
        {"U+10000", STR("\xf0\x90\x80\x80"), 0x10000, 4},
        {"U+10FFFF", STR("\xf4\x8f\xbf\xbf"), 0x10ffff, 4},
        {"overlong of U+007F", STR("\xc1\xbf"), -1, 1},
        {"overlong of U+07FF", STR("\xe0\x9f\xbf"), -1, 1},
        {"overlong of U+FFFF", STR("\xf0\x8f\xbf\xbf"), -1, 1},
        {"U+110000", STR("\xf4\x90\x80\x80"), -1, 1},
        {"empty", STR(""), -1, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = 99;

        row_int(rows[i].name, text_utf8_next(rows[i].in, &len), rows[i].want);
        row_int(rows[i].name, len, rows[i].len);
        row_int(rows[i].name, text_is_utf8(rows[i].in), rows[i].want >= 0 || rows[i].len == 0);
    }
    assert_true(text_is_ascii(STR("abc\x7f")));
    assert_false(text_is_ascii(STR("abc\x80")));
    assert_true(text_is_ascii(STR_NONE));
}

static void u64_is_read_strictly(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        uint64_t max;
        bool ok;
        uint64_t want;
    } rows[] = {
        {STR("0"), 0, true, 0},
        {STR("25"), 65535, true, 25},
        {STR("0025"), 65535, true, 25},
        {STR("65535"), 65535, true, 65535},
        {STR("65536"), 65535, false, 0},
        {STR("18446744073709551615"), UINT64_MAX, true, UINT64_MAX},
        {STR("18446744073709551616"), UINT64_MAX, false, 0},
        {STR("99999999999999999999999"), UINT64_MAX, false, 0},
        {STR(""), 9, false, 0},
        {STR_NONE, 9, false, 0},
        {STR("+1"), 9, false, 0},
        {STR("-1"), 9, false, 0},
        {STR(" 1"), 9, false, 0},
        {STR("1 "), 9, false, 0},
        {STR("1x"), 9, false, 0},
        {STR("0x1"), 9, false, 0},
        {STR("1\0"), 9, false, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t n = 4711;

        row_int(rows[i].in.p, text_parse_u64(rows[i].in, rows[i].max, &n), rows[i].ok);
        row_int(rows[i].in.p, n, rows[i].ok ? rows[i].want : 4711);
    }

    struct str s = STR("12ab");
    uint64_t n = 0;
    assert_true(text_take_u64(&s, 100, &n));
    assert_int_equal(n, 12);
    row_str("rest", s, STR("ab"));
    assert_false(text_take_u64(&s, 100, &n));
    row_str("untouched", s, STR("ab"));
}

static void size_is_read_with_binary_multiples(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        bool ok;
        uint64_t want;
    } rows[] = {
        {STR("1024"), true, 1024},
        {STR("10M"), true, 10485760},
        {STR("10m"), true, 10485760},
        {STR("50 MiB"), true, 52428800},
        {STR("1k"), true, 1024},
        {STR("1KB"), true, 1024},
        {STR("2G"), true, UINT64_C(2147483648)},
        {STR("7b"), true, 7},
        {STR("17179869183G"), true, UINT64_C(17179869183) << 30},
        {STR("17179869184G"), false, 0},
        {STR("1T"), false, 0},
        {STR("M"), false, 0},
        {STR(""), false, 0},
        {STR("-1M"), false, 0},
        {STR("1.5M"), false, 0},
        {STR("1Mi"), false, 0},
        {STR("1MM"), false, 0},
        {STR("10M "), false, 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t n = 4711;

        row_int(rows[i].in.p, text_parse_size(rows[i].in, &n), rows[i].ok);
        row_int(rows[i].in.p, n, rows[i].ok ? rows[i].want : 4711);
    }
}

static void size_is_written_in_four_columns(void **state)
{
    (void)state;
    static const struct {
        const char *want;
        uint64_t in;
    } rows[] = {
        {"0B", 0},
        {"812B", 812},
        {"999B", 999},
        {"1K", 1000},
        {"1K", 1023},
        {"1K", 1024},
        {"2K", 1536},
        {"41K", 41 * 1024 + 5},
        {"1023K", 1023 * 1024},
        {"1M", 1024 * 1024 - 1},
        {"10M", 10 * 1024 * 1024},
        {"1G", UINT64_C(1) << 30},
        {"16E", UINT64_MAX},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[16];
        row_text(rows[i].want, text_size(rows[i].in, out), rows[i].want);
    }
}

static void count_is_grouped_by_thousands(void **state)
{
    (void)state;
    char out[32];

    row_text("0", text_count(0, out), "0");
    row_text("999", text_count(999, out), "999");
    row_text("1000", text_count(1000, out), "1,000");
    row_text("12480", text_count(12480, out), "12,480");
    row_text("a million", text_count(1000000, out), "1,000,000");
    row_text("most", text_count(UINT64_MAX, out), "18,446,744,073,709,551,615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_makes_hostile_bytes_harmless),
        cmocka_unit_test(printable_finds_a_bad_byte_at_every_place),
        cmocka_unit_test(printable_output_of_noise_is_clean_utf8),
        cmocka_unit_test(printable_joins_the_lines_of_a_reply),
        cmocka_unit_test(printable_appends),
        cmocka_unit_test(printable_copy_cuts_where_a_character_ends),
        cmocka_unit_test(utf8_next_decodes_the_bounds),
        cmocka_unit_test(u64_is_read_strictly),
        cmocka_unit_test(size_is_read_with_binary_multiples),
        cmocka_unit_test(size_is_written_in_four_columns),
        cmocka_unit_test(count_is_grouped_by_thousands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
