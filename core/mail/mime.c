/* SPDX-License-Identifier: ISC */
/*
 * The walk through a message, line by line.
 *
 *            ┌───────────────────── message/rfc822 ───────────────────────┐
 *            ▼                                                            │
 *   ──► HEADER ──empty line──► a leaf, not encoded ──► LOOK ──flaw──► CODE (encode)
 *        ▲   │                 a leaf, encoded ───────────────────► CODE (mend)
 *        │   │                 multipart ──► PREAMBLE
 *        │   │                 signed and the like ──► FIXED
 *        │   └── a boundary may come in every state: finish what is open,
 *        └────── then HEADER; behind the last one of a multipart: EPILOGUE
 *
 *   HEADER    head holds the fields so far
 *   LOOK      head holds the header, look the part's content; neither is written yet. The first line
 *             with a flaw, or MIME_LOOK_MAX, decides for encoding; the end of the part against it
 *   CODE      the coder writes
 *   PREAMBLE  look holds it: only a boundary proves that it was one
 *   EPILOGUE  what readers ignore: written with its flaws replaced
 *   FIXED     written as it is; a flaw in it is the end
 *
 * The CRLF before a boundary belongs to the boundary (RFC 2046 5.1.1), so a line's end is written when
 * the next line has come. A boundary is a whole line; lines over LINE_BYTES_MAX are none.
 */
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/mime_private.h"
#include "core/mail/msg.h"

/* Octets of a piece that are looked at in one go. */
#define SLICE (16u * 1024)

enum mime_state {
    STATE_HEADER,
    STATE_LOOK,
    STATE_CODE,
    STATE_PREAMBLE,
    STATE_EPILOGUE,
    STATE_FIXED
};

struct mime {
    bool is_scan;
    unsigned cared; /* FLAW_*: what the next hop does not take */
    struct mime_facts facts;
    const char *why; /* it has failed */
    struct buf *out; /* borrowed during a call; NULL in a scan */

    struct buf line;  /* own: the line whose end has not come */
    bool is_mid_line; /* parts of it have been looked at before */

    enum mime_state state;
    bool is_top, is_digest_part; /* HEADER: what it is the header of */
    bool is_message;             /* ... of a message, not of a part */
    bool has_blank;              /* an empty line ended it */
    unsigned head_flaws;
    struct buf head; /* own */
    struct mime_entity entity;
    struct buf look; /* own */
    unsigned look_flaws;
    struct mime_coder coder;
    const char *fixed_why;
    size_t ignored_column; /* EPILOGUE: where a long line is */
    bool has_crlf;         /* a line's end in a body, not written yet */

    unsigned depth;
    struct mime_level levels[MIME_DEPTH_MAX];
};

/* --- the caller's side --- */

struct mime *mime_new(enum mime_target to)
{
    struct mime *m = xnew(struct mime);

    m->cared = FLAW_LONG | FLAW_LONE | (to == MIME_TO_7BIT ? FLAW_8BIT : 0);
    m->is_top = m->is_message = true;
    return m;
}

struct mime *mime_new_scan(void)
{
    struct mime *m = mime_new(MIME_TO_7BIT);

    m->is_scan = true;
    return m;
}

void mime_free(struct mime *m)
{
    if (!m)
        return;
    buf_done(&m->line);
    buf_done(&m->head);
    buf_done(&m->look);
    free(m);
}

const char *mime_why(const struct mime *m)
{
    return m->why;
}

const struct mime_facts *mime_scan_facts(const struct mime *m)
{
    return &m->facts;
}

unsigned mime_facts_flags(const struct mime_facts *f)
{
    return (f->has_8bit ? MSG_8BIT : 0) | (f->has_bad_lines ? MSG_LINES : 0) |
           (f->no_7bit_why ? MSG_FIXED : 0);
}

unsigned mime_flags(struct str content)
{
    struct mime *m = mime_new_scan();

    mime_add(m, content, NULL);
    mime_end(m, NULL);
    unsigned flags = mime_facts_flags(&m->facts);
    mime_free(m);
    return flags;
}

/* --- writing --- */

/* Flaws where they may not be touched. A scan goes on, to tell what else there is. */
static void refuse(struct mime *m, unsigned flaws, const char *why)
{
    if (!(flaws & m->cared) || m->why)
        return;
    if (!m->is_scan) {
        m->why = why;
        return;
    }
    if (!m->facts.no_7bit_why)
        m->facts.no_7bit_why = why;
    if ((flaws & (FLAW_LONG | FLAW_LONE)) && !m->facts.no_8bit_why)
        m->facts.no_8bit_why = why;
}

static void write_out(struct mime *m, struct str s)
{
    if (!m->is_scan)
        buf_add_str(m->out, s);
}

static const char header_why[] =
    "a field of a header has 8-bit text where none can be encoded, or a "
    "line that is too long and has no blank";

/* Readers then show all of it as text. */
static const char no_parts_why[] = "a multipart does not come to its first part";

/* Would it work for either hop? */
static void scan_header(struct mime *m, struct str head)
{
    struct buf out CLEANUP(buf_done) = BUF_INIT;
    const char **why[] = {&m->facts.no_7bit_why, &m->facts.no_8bit_why};
    const unsigned cared[] = {m->cared, m->cared & ~FLAW_8BIT};

    for (unsigned i = 0; i < ARRAY_LEN(cared); i++)
        if (m->head_flaws & cared[i] && !*why[i] && mime_fields_write(head, cared[i], false, &out))
            *why[i] = header_why;
}

/* The header in head, with what its content has become: cte and type are new fields, "" = none. */
static void write_header(struct mime *m, const char *cte, const char *type)
{
    struct buf waste CLEANUP(buf_done) = BUF_INIT, *out = m->is_scan ? &waste : m->out;
    struct str head = buf_str(&m->head);
    bool has_new = cte[0] || type[0];

    if (m->has_blank)
        head.n -= 2;
    if (m->is_scan)
        scan_header(m, head);
    else if (m->head_flaws & m->cared || cte[0])
        refuse(m, mime_fields_write(head, m->cared, cte[0], out), header_why);
    else
        buf_add_str(out, head);
    m->head_flaws = 0;
    if (has_new && m->is_message && !m->entity.has_version)
        buf_add_z(out, "MIME-Version: 1.0\r\n");
    if (type[0])
        buf_printf(out, "Content-Type: %s\r\n", type);
    if (cte[0])
        buf_printf(out, "Content-Transfer-Encoding: %s\r\n", cte);
    if (m->has_blank || has_new)
        buf_add_z(out, "\r\n");
    buf_clear(&m->head);
}

/* Text that readers ignore. A line of ours does not look like a boundary: it begins with a blank.
 * *column is where the line is. */
static void write_ignored(struct mime *m, struct str text, size_t *column)
{
    for (size_t i = 0; i < text.n; i++) {
        if (++*column > LINE_BYTES_MAX) {
            buf_add_z(m->out, "\r\n ");
            *column = 2;
        }
        buf_add_c(m->out, mime_flaws(str_sub(text, i, i + 1)) & m->cared ? '?' : text.p[i]);
    }
}

static void write_ignored_lines(struct mime *m, struct str lines)
{
    while (lines.n) {
        size_t n = str_ifind(lines, STR("\r\n"));
        size_t column = 0;
        write_ignored(m, str_sub(lines, 0, n), &column);
        if (n != SIZE_MAX)
            buf_add_z(m->out, "\r\n");
        lines = str_sub(lines, n == SIZE_MAX ? lines.n : n + 2, lines.n);
    }
}

/* --- the beginning of a body --- */

/* A header that goes on as it is, before content that may not be touched. */
static void start_fixed(struct mime *m, const char *why)
{
    refuse(m, m->head_flaws, why);
    write_out(m, buf_str(&m->head));
    buf_clear(&m->head);
    m->state = STATE_FIXED;
    m->fixed_why = why;
}

/* What says "8bit" will not be: a composite whose parts are encoded, a leaf that needs it not. */
static const char *relabel(const struct mime *m)
{
    return m->cared & FLAW_8BIT && m->entity.cte == CTE_8BIT ? "7bit" : "";
}

static void start_header(struct mime *m, bool is_message, bool is_digest_part)
{
    m->state = STATE_HEADER;
    m->is_top = false;
    m->is_message = is_message;
    m->is_digest_part = is_digest_part;
    m->head_flaws = 0;
}

static void start_leaf(struct mime *m)
{
    bool is_encoded = m->entity.cte == CTE_QP || m->entity.cte == CTE_BASE64;

    m->state = STATE_LOOK;
    buf_clear(&m->look);
    m->look_flaws = 0;
    if (!is_encoded && !m->is_scan)
        return;
    /* A scan knows already that what is not encoded can be. */
    write_header(m, "", "");
    mime_coder_start(&m->coder, m->entity.cte == CTE_BASE64 ? CODING_BASE64_MEND
                                : is_encoded                ? CODING_QP_MEND
                                                            : CODING_NONE);
    m->state = STATE_CODE;
}

/* Readers then differ in whose parts they are. */
static bool is_boundary_taken(const struct mime *m, const struct mime_level *l)
{
    for (unsigned i = 0; i < m->depth; i++) {
        const struct mime_level *open = &m->levels[i];
        if (open->boundary_n == l->boundary_n &&
            memcmp(open->boundary, l->boundary, l->boundary_n) == 0)
            return true;
    }
    return false;
}

/* The header is complete; has_blank says whether the empty line came. */
static void start_body(struct mime *m, bool has_blank)
{
    struct mime_entity *e = &m->entity;

    m->has_blank = has_blank;
    mime_entity_read(buf_str(&m->head), m->is_top, m->is_digest_part, e);
    bool needs_blank = e->kind == MIME_MULTIPART || e->kind == MIME_MESSAGE || e->cte == CTE_QP ||
                       e->cte == CTE_BASE64;
    if (m->head_flaws & FLAW_LONE) {
        start_fixed(m, "a header has a NUL, or a CR or LF that stands alone"); /* readers differ */
    } else if (e->kind == MIME_FIXED) {
        start_fixed(m, e->why);
    } else if (needs_blank && !has_blank) {
        start_fixed(m, "the header of a part has no end");
    } else if (e->kind == MIME_MESSAGE) {
        write_header(m, relabel(m), "");
        start_header(m, true, false);
    } else if (e->kind != MIME_MULTIPART) {
        start_leaf(m);
    } else if (m->depth == MIME_DEPTH_MAX) {
        start_fixed(m, "parts are nested too deeply");
    } else if (is_boundary_taken(m, &e->level)) {
        start_fixed(m, "a multipart shares its boundary with one that it is in");
    } else {
        write_header(m, relabel(m), "");
        m->levels[m->depth++] = e->level;
        m->state = STATE_PREAMBLE;
        buf_clear(&m->look);
        m->look_flaws = 0;
    }
}

/* --- leaves --- */

/* What to call text that comes without a name: what it seems to be, or what RFC 1428 says. */
static const char *name_type(const struct mime *m)
{
    struct str s = str_sub(buf_str(&m->look), 0, MIME_LOOK_MAX);
    bool is_all = s.n == m->look.n;

    if (m->entity.has_type || (is_all && !(mime_flaws(s) & FLAW_8BIT)))
        return "";
    /* The last character may not be complete. */
    for (unsigned i = 0; i < 4 && s.n > i; i++)
        if (text_is_utf8(str_sub(s, 0, s.n - i)))
            return "text/plain; charset=utf-8";
    return "text/plain; charset=unknown-8bit";
}

/* The part must be encoded, or is so long that nobody waits to see. */
static void start_code(struct mime *m)
{
    bool is_text = m->entity.kind == MIME_TEXT;

    write_header(m, is_text ? "quoted-printable" : "base64", is_text ? name_type(m) : "");
    mime_coder_start(&m->coder, is_text ? CODING_QP : CODING_BASE64);
    mime_coder_add(&m->coder, buf_str(&m->look), m->out);
    buf_clear(&m->look);
    m->state = STATE_CODE;
}

static void finish_leaf(struct mime *m)
{
    if (m->state == STATE_LOOK) {
        write_header(m, relabel(m), "");
        write_out(m, buf_str(&m->look));
    } else if (m->coder.coding == CODING_QP || m->coder.coding == CODING_BASE64) {
        mime_coder_end(&m->coder, m->out);
    }
    buf_clear(&m->look);
}

/* --- bodies --- */

struct piece {
    struct str text; /* without its line end */
    bool is_start;   /* of a line */
    bool is_whole;   /* up to the line's end, or the end of all */
    bool has_crlf;   /* ... which is there */
    unsigned flaws;
};

static void look_add(struct mime *m, const struct piece *p)
{
    buf_add_str(&m->look, p->text);
    m->look_flaws |= p->flaws;
    bool is_line_flawed = m->look_flaws & m->cared && p->is_whole;
    if (m->state == STATE_LOOK && (is_line_flawed || m->look.n > MIME_LOOK_MAX))
        start_code(m);
    else if (m->state == STATE_PREAMBLE && m->look.n > MIME_LOOK_MAX)
        start_fixed(m, no_parts_why);
}

/* A preamble that has grown into something else is fixed; what there is of it goes on. */
static void preamble_add(struct mime *m, const struct piece *p)
{
    look_add(m, p);
    if (m->state == STATE_PREAMBLE)
        return;
    refuse(m, m->look_flaws, m->fixed_why);
    write_out(m, buf_str(&m->look));
    buf_clear(&m->look);
}

static void code_add(struct mime *m, const struct piece *p)
{
    bool is_mended = m->coder.coding != CODING_QP && m->coder.coding != CODING_BASE64;

    if (m->coder.coding == CODING_NONE)
        return;
    if (!is_mended) {
        mime_coder_add(&m->coder, p->text, m->out);
    } else if (!(p->flaws & m->cared)) {
        write_out(m, p->text);
    } else {
        struct buf waste CLEANUP(buf_done) = BUF_INIT;
        if (!mime_coder_mend(&m->coder, p->text, p->is_start, m->is_scan ? &waste : m->out))
            refuse(m, p->flaws, "a part is said to be base64, and is not");
    }
}

static void body_add(struct mime *m, const struct piece *p)
{
    switch (m->state) {
    case STATE_HEADER: break;
    case STATE_LOOK: look_add(m, p); break;
    case STATE_CODE: code_add(m, p); break;
    case STATE_PREAMBLE: preamble_add(m, p); break;
    case STATE_EPILOGUE:
        if (p->is_start)
            m->ignored_column = 0;
        if (p->flaws & m->cared && !m->is_scan)
            write_ignored(m, p->text, &m->ignored_column);
        else
            write_out(m, p->text);
        break;
    case STATE_FIXED:
        refuse(m, p->flaws, m->fixed_why);
        write_out(m, p->text);
        break;
    }
}

/* The line end that was held belongs to the body. */
static void body_crlf(struct mime *m)
{
    const struct piece crlf = {.text = STR("\r\n"), .is_whole = true};

    if (m->has_crlf)
        body_add(m, &crlf);
    m->has_crlf = false;
}

static void on_body(struct mime *m, const struct piece *p)
{
    body_crlf(m);
    body_add(m, p);
    m->has_crlf = p->has_crlf;
}

/* --- headers --- */

/* Of a long line there may be no more than LINE_BYTES_MAX octets yet. */
static bool is_field(struct str line)
{
    struct str name, body, whole;

    line = str_sub(line, 0, LINE_BYTES_MAX);
    return header_next(&line, &name, &body, &whole);
}

static void on_header(struct mime *m, const struct piece *p)
{
    bool is_continued = p->text.n && (p->text.p[0] == ' ' || p->text.p[0] == '\t');
    bool is_empty = p->is_start && p->text.n == 0 && p->is_whole;

    if (p->is_start && is_continued && !m->head.n) {
        start_fixed(m, "a header begins with a blank"); /* readers differ */
        on_body(m, p);
        return;
    }
    if (p->is_start && !is_empty && !is_continued && !is_field(p->text)) {
        start_body(m, false);
        on_body(m, p);
        return;
    }
    buf_add_str(&m->head, p->text);
    m->head_flaws |= p->flaws;
    if (p->has_crlf)
        buf_add_z(&m->head, "\r\n");
    if (is_empty)
        start_body(m, p->has_crlf);
    else if (m->head.n > HEADER_BYTES_MAX)
        start_fixed(m, "the header of a part is larger than 256 KiB");
}

/* --- boundaries --- */

static bool is_boundary_of(const struct mime_level *l, struct str line, bool *is_last)
{
    line = str_sub(line, 2, line.n);
    if (!str_starts(line, (struct str){l->boundary, l->boundary_n}))
        return false;
    line = str_sub(line, l->boundary_n, line.n);
    *is_last = str_starts(line, STR("--"));
    if (*is_last)
        line = str_sub(line, 2, line.n);
    while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
        line = str_sub(line, 1, line.n);
    return line.n == 0;
}

/* The innermost multipart that the line is a boundary of, counted from 1; 0 = none. */
static unsigned find_boundary(const struct mime *m, const struct piece *p, bool *is_last)
{
    unsigned level = m->depth;

    if (!p->is_start || !p->is_whole || p->flaws || !str_starts(p->text, STR("--")))
        return 0;
    while (level && !is_boundary_of(&m->levels[level - 1], p->text, is_last))
        level--;
    return level;
}

/* Whatever is open ends here. is_proof: a boundary of the multipart whose preamble this was. */
static void finish(struct mime *m, bool is_proof)
{
    switch (m->state) {
    case STATE_HEADER:
        m->has_blank = false;
        mime_entity_read(buf_str(&m->head), m->is_top, false, &m->entity);
        if (m->entity.is_fixed_header)
            start_fixed(m, m->entity.why);
        else
            write_header(m, "", "");
        break;
    case STATE_LOOK:
    case STATE_CODE: finish_leaf(m); break;
    case STATE_PREAMBLE:
        if (!is_proof)
            refuse(m, m->look_flaws, no_parts_why);
        if (!m->is_scan && is_proof && m->look_flaws & m->cared)
            write_ignored_lines(m, buf_str(&m->look));
        else
            write_out(m, buf_str(&m->look));
        buf_clear(&m->look);
        break;
    case STATE_EPILOGUE:
    case STATE_FIXED: break;
    }
}

static void on_boundary(struct mime *m, const struct piece *p, unsigned level, bool is_last)
{
    bool is_empty = m->state == STATE_HEADER && !m->head.n;
    bool had_parts = level < m->depth || (m->state != STATE_PREAMBLE && !is_empty);

    finish(m, level == m->depth && !is_last);
    if (m->has_crlf)
        write_out(m, STR("\r\n"));
    m->has_crlf = false;
    write_out(m, p->text);
    if (p->has_crlf)
        write_out(m, STR("\r\n"));
    m->depth = is_last ? level - 1 : level;
    if (!is_last)
        start_header(m, false, m->levels[level - 1].is_digest);
    else if (had_parts)
        m->state = STATE_EPILOGUE;
    else
        start_fixed(m, no_parts_why);
}

/* --- lines --- */

static void on_text(struct mime *m, struct piece p)
{
    bool is_last = false;

    p.is_start = !m->is_mid_line;
    p.flaws = mime_flaws(p.text);
    if (!p.is_start || !p.is_whole || p.text.n > LINE_BYTES_MAX)
        p.flaws |= FLAW_LONG;
    m->is_mid_line = !p.is_whole;
    m->facts.has_8bit |= (p.flaws & FLAW_8BIT) != 0;
    m->facts.has_bad_lines |= (p.flaws & (FLAW_LONG | FLAW_LONE)) != 0;

    unsigned level = find_boundary(m, &p, &is_last);
    if (level)
        on_boundary(m, &p, level, is_last);
    else if (m->state == STATE_HEADER)
        on_header(m, &p);
    else
        on_body(m, &p);
}

/* Octets up to and with the first CRLF, whose CR may be the last octet of the line so far; 0 when
 * there is none. */
static size_t line_length(const struct mime *m, struct str s)
{
    const char *p = s.p, *end = s.p + s.n;

    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        bool is_behind_cr = p > s.p ? p[-1] == '\r' : m->line.n && m->line.p[m->line.n - 1] == '\r';
        if (is_behind_cr)
            return (size_t)(p - s.p) + 1;
        p++;
    }
    return 0;
}

/* What cannot be a short line any more is looked at; a CR at its end waits for its LF. */
static void take_part_of_line(struct mime *m)
{
    bool has_cr = m->line.n && m->line.p[m->line.n - 1] == '\r';
    size_t n = m->line.n - has_cr;

    if (n <= LINE_BYTES_MAX)
        return;
    on_text(m, (struct piece){.text = str_sub(buf_str(&m->line), 0, n)});
    buf_drop(&m->line, n);
}

static void take_slice(struct mime *m, struct str s)
{
    while (s.n) {
        size_t n = line_length(m, s);
        struct str now = str_sub(s, 0, n ? n : s.n);
        s = str_sub(s, now.n, s.n);
        if (n && !m->line.n) {
            now.n -= 2;
            on_text(m, (struct piece){.text = now, .is_whole = true, .has_crlf = true});
            continue;
        }
        buf_add_str(&m->line, now);
        if (!n) {
            take_part_of_line(m);
            return;
        }
        now = str_sub(buf_str(&m->line), 0, m->line.n - 2);
        on_text(m, (struct piece){.text = now, .is_whole = true, .has_crlf = true});
        buf_clear(&m->line);
    }
}

bool mime_add(struct mime *m, struct str piece, struct buf *out)
{
    m->out = out;
    while (piece.n && !m->why) {
        take_slice(m, str_sub(piece, 0, SLICE));
        piece = str_sub(piece, SLICE, piece.n);
    }
    m->out = NULL;
    return !m->why;
}

/* The end of all is taken for the boundary that has not come: the last line's end is not the part's. A
 * message without parts is all content, and base64 does not end its last line. */
static void end_last_line(struct mime *m)
{
    bool is_part = m->depth > 0;

    if (!is_part)
        body_crlf(m);
    finish(m, false);
    bool is_open = m->state == STATE_CODE && m->coder.coding == CODING_BASE64 && m->coder.column;
    if (is_part ? m->has_crlf : is_open)
        write_out(m, STR("\r\n"));
}

bool mime_end(struct mime *m, struct buf *out)
{
    if (m->why)
        return false;
    m->out = out;
    if (m->line.n || m->is_mid_line)
        on_text(m, (struct piece){.text = buf_str(&m->line), .is_whole = true});
    buf_clear(&m->line);
    end_last_line(m);
    m->out = NULL;
    return !m->why;
}
