/* SPDX-License-Identifier: ISC */
/*
 * Filter words to SQL. One word's terms are joined by OR, words by AND, excluded terms and free
 * texts each stand alone (core/mail/filter.h). A missing attempt gives NULL, which is "no match",
 * also under "-".
 */
#include "store/where.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "core/mail/logline.h"
#include "store/search.h"
#include "store/store_private.h"

/* --- parameters --- */

static int add_param(struct where *w, char *text, int64_t number)
{
    if (w->n == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 8;
        w->params = xreallocarray(w->params, w->cap, sizeof(*w->params));
    }
    w->params[w->n] = (struct where_param){text, number};
    return WHERE_PARAM_FIRST + (int)w->n++;
}

static int number_param(struct where *w, int64_t number)
{
    return add_param(w, NULL, number);
}

static int lower_param(struct where *w, const char *text)
{
    char *p = xstrdup(text);

    for (char *c = p; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
    return add_param(w, p, 0);
}

/* A LIKE pattern: text taken literally, except "*" when is_pattern; open at both ends or at none. */
static int like_param(struct where *w, const char *before, const char *text, bool is_pattern,
                      const char *after)
{
    struct buf b = BUF_INIT;

    buf_add_z(&b, before);
    for (; *text; text++) {
        if (*text == '*' && is_pattern) {
            buf_add_c(&b, '%');
            continue;
        }
        if (*text == '%' || *text == '_' || *text == '\\')
            buf_add_c(&b, '\\');
        buf_add_c(&b, *text);
    }
    buf_add_z(&b, after);
    return add_param(w, buf_take(&b), 0);
}

/* --- words --- */

static void word_text(struct where *w, const struct filter_term *t)
{
    int64_t id;

    w->needs_message = w->needs_attempt = true;
    buf_printf(&w->sql,
               "has_text(?%d, r.address, m.sender, m.h_subject, m.h_from, m.h_message_id, r.site,"
               " r.cause, r.note, a.host, a.text)",
               add_param(w, xstrdup(t->text), 0));
    if (id_parse(str_of(t->text), &id))
        buf_printf(&w->sql, " OR r.message=?%d", number_param(w, id));
}

static void word_address(struct where *w, const struct filter_term *t, const char *column)
{
    if (t->text[0] == '@')
        buf_printf(&w->sql, "%s LIKE ?%d ESCAPE '\\'", column,
                   like_param(w, "%@", t->text + 1, false, ""));
    else
        buf_printf(&w->sql, "%s LIKE ?%d ESCAPE '\\'", column,
                   like_param(w, "%", t->text, false, "%"));
}

static void word_whole(struct where *w, const struct filter_term *t, const char *column)
{
    if (strchr(t->text, '*'))
        buf_printf(&w->sql, "%s LIKE ?%d ESCAPE '\\'", column,
                   like_param(w, "", t->text, true, ""));
    else
        buf_printf(&w->sql, "%s=?%d COLLATE NOCASE", column, lower_param(w, t->text));
}

static void word_relay(struct where *w, const struct filter_term *t)
{
    w->needs_attempt = true;
    word_whole(w, t, "a.host");
    buf_printf(&w->sql, " OR a.ip=?%d OR a.host||'['||a.ip||']:'||a.port LIKE ?%d ESCAPE '\\'",
               lower_param(w, t->text), like_param(w, "", t->text, true, ""));
}

static void state_is(struct where *w, enum rcpt_state state)
{
    buf_printf(&w->sql, "r.state=%d", state);
}

static void word_state(struct where *w, int64_t state)
{
    switch (state) {
    case FILTER_STATE_DEFERRED: buf_add_z(&w->sql, "(r.state=0 AND r.tries>0)"); break;
    case FILTER_STATE_STUCK: buf_add_z(&w->sql, "r.state=2"); break;
    default: state_is(w, (enum rcpt_state)state); break;
    }
}

/* The log's words for what the queue calls states; -1 = no recipient is like that. */
static int64_t state_of_status(int64_t status)
{
    switch (status) {
    case LOG_SENT: return RCPT_DELIVERED;
    case LOG_DEFERRED: return FILTER_STATE_DEFERRED;
    case LOG_BOUNCED: return RCPT_BOUNCED;
    case LOG_EXPIRED: return RCPT_EXPIRED;
    case LOG_UNCONFIRMED: return RCPT_UNCONFIRMED;
    default: return -1;
    }
}

static bool is_final_state(int64_t state)
{
    return state >= 0 && state < RCPT_STATE_COUNT && rcpt_state_is_final((enum rcpt_state)state);
}

static void word_code(struct where *w, const struct filter_term *t)
{
    size_t n = strlen(t->text);
    uint64_t code = 0, span = n == 1 ? 100 : n == 2 ? 10 : 1;

    text_parse_u64((struct str){t->text, n}, 999, &code);
    buf_printf(&w->sql, "r.code BETWEEN ?%d AND ", number_param(w, (int64_t)(code * span)));
    buf_printf(&w->sql, "?%d", number_param(w, (int64_t)(code * span + span - 1)));
}

static void word_dsn(struct where *w, const struct filter_term *t)
{
    buf_printf(&w->sql, "r.enhanced=?%d OR r.enhanced LIKE ?%d ESCAPE '\\'",
               lower_param(w, t->text), like_param(w, "", t->text, false, ".%"));
}

static const char *op_text(enum filter_op op)
{
    static const char *const texts[] = {"=", ">", ">=", "<", "<="};

    return texts[op];
}

static void word_number(struct where *w, const struct filter_term *t, const char *what)
{
    buf_printf(&w->sql, "%s%s?%d", what, op_text(t->op), number_param(w, t->number));
}

/* now - arrival, or next - now: the parameter comes on the other side. */
static void word_age(struct where *w, const struct filter_term *t, int64_t now)
{
    buf_printf(&w->sql, "?%d-r.arrival", number_param(w, now));
    buf_printf(&w->sql, "%s?%d", op_text(t->op), number_param(w, t->number));
}

static void word_next(struct where *w, const struct filter_term *t, int64_t now)
{
    buf_printf(&w->sql, "(r.state IN (0, 3) AND r.next-?%d", number_param(w, now));
    buf_printf(&w->sql, "%s?%d)", op_text(t->op), number_param(w, t->number));
}

static void word_has(struct where *w)
{
    w->needs_message = w->needs_attempt = true;
    buf_add_z(&w->sql, "has_escapes(a.text) OR has_escapes(a.host) OR has_escapes(m.sender)"
                       " OR has_escapes(m.h_subject) OR has_escapes(m.h_from)"
                       " OR has_escapes(r.address)");
}

static int put_term(struct where *w, const struct filter_term *t, int64_t now, struct err *err)
{
    int64_t state;

    w->is_covered &= t->word != FILTER_TEXT && t->word != FILTER_TO && t->word != FILTER_FROM &&
                     t->word != FILTER_RELAY && t->word != FILTER_DSN && t->word != FILTER_HAS;
    switch (t->word) {
    case FILTER_TEXT: word_text(w, t); break;
    case FILTER_TO: word_address(w, t, "r.address"); break;
    case FILTER_FROM:
        w->needs_message = true;
        word_address(w, t, "m.sender");
        break;
    case FILTER_DOMAIN: word_whole(w, t, "r.domain"); break;
    case FILTER_SITE: word_whole(w, t, "r.site"); break;
    case FILTER_CAUSE: word_whole(w, t, "r.cause"); break;
    case FILTER_RELAY: word_relay(w, t); break;
    case FILTER_STATE:
    case FILTER_STATUS:
        state = t->word == FILTER_STATE ? t->number : state_of_status(t->number);
        word_state(w, state);
        if (!t->is_excluded) {
            w->is_state_asked = true;
            w->with_final |= is_final_state(state);
        }
        break;
    case FILTER_CODE: word_code(w, t); break;
    case FILTER_DSN: word_dsn(w, t); break;
    case FILTER_ID: {
        int p = number_param(w, t->number);

        buf_printf(&w->sql, "r.message=?%d OR r.id=?%d", p, p);
        break;
    }
    case FILTER_AGE: word_age(w, t, now); break;
    case FILTER_TRIES: word_number(w, t, "r.tries"); break;
    case FILTER_SIZE: word_number(w, t, "r.size"); break;
    case FILTER_NEXT: word_next(w, t, now); break;
    case FILTER_SINCE: word_number(w, t, "r.arrival"); break;
    case FILTER_HAS: word_has(w); break;
    default:
        return err_set(err, E_SYNTAX, "%s: is not known of a recipient; cause: and code: are",
                       filter_word_name(t->word));
    }
    return 0;
}

/* --- ids --- */

/* The range of recipients that an id: word means; nothing when there is no such message. */
static int id_range(struct store *s, int64_t id, int64_t *first, int64_t *last, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db,
                                "SELECT rcpt_first, rcpt_last FROM message WHERE id=?1"
                                " UNION ALL SELECT id, id FROM recipient WHERE id=?1",
                                -1, &st, NULL);

    if (rc != SQLITE_OK)
        return store_sql_err(s, rc, err, "look up an id");
    bind_i(st, 1, id);
    rc = store_next(s, st, err, "look up an id");
    if (rc > 0) {
        *first = sqlite3_column_int64(st, 0);
        *last = sqlite3_column_int64(st, 1);
    }
    sqlite3_finalize(st);
    return rc;
}

static int bound_ids(struct where *w, struct store *s, const struct filter *f, struct err *err)
{
    int64_t lowest = INT64_MAX, highest = 0, first = 0, last = 0;
    bool is_asked = false;

    for (size_t i = 0; i < f->n; i++) {
        int rc;

        if (f->terms[i].word != FILTER_ID || f->terms[i].is_excluded)
            continue;
        is_asked = true;
        rc = id_range(s, f->terms[i].number, &first, &last, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        lowest = first < lowest ? first : lowest;
        highest = last > highest ? last : highest;
    }
    if (is_asked) {
        w->first = lowest;
        w->last = highest;
    }
    return 0;
}

/* --- all --- */

static bool stands_alone(const struct filter_term *t)
{
    return t->is_excluded || t->word == FILTER_TEXT;
}

static int put_alone(struct where *w, const struct filter_term *t, int64_t now, struct err *err)
{
    int rc;

    buf_add_z(&w->sql, t->is_excluded ? " AND NOT ifnull((" : " AND (");
    rc = put_term(w, t, now, err);
    buf_add_z(&w->sql, t->is_excluded ? "), 0)" : ")");
    return rc;
}

/* All terms of one word. */
static int put_word(struct where *w, const struct filter *f, enum filter_word word, int64_t now,
                    struct err *err)
{
    bool is_open = false;

    for (size_t i = 0; i < f->n; i++) {
        const struct filter_term *t = &f->terms[i];
        int rc;

        if (t->word != word || stands_alone(t))
            continue;
        buf_add_z(&w->sql, is_open ? " OR (" : " AND ((");
        is_open = true;
        rc = put_term(w, t, now, err);
        if (rc)
            return rc;
        buf_add_c(&w->sql, ')');
    }
    if (is_open)
        buf_add_c(&w->sql, ')');
    return 0;
}

int where_build(struct where *w, struct store *s, const struct filter *f, int64_t now_wall_ms,
                struct err *err)
{
    int rc = 0;

    *w = (struct where){.sql = BUF_INIT, .is_covered = true, .first = 0, .last = INT64_MAX};
    buf_reserve(&w->sql, 1);
    if (!f)
        return 0;
    for (int word = FILTER_TEXT; !rc && word < FILTER_WORD_COUNT; word++)
        rc = put_word(w, f, (enum filter_word)word, now_wall_ms, err);
    for (size_t i = 0; !rc && i < f->n; i++) {
        if (stands_alone(&f->terms[i]))
            rc = put_alone(w, &f->terms[i], now_wall_ms, err);
    }
    return rc ? rc : bound_ids(w, s, f, err);
}

void where_done(struct where *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->params[i].text);
    free(w->params);
    buf_done(&w->sql);
    *w = (struct where){0};
}

void where_bind(const struct where *w, sqlite3_stmt *st)
{
    for (size_t i = 0; i < w->n; i++) {
        int at = WHERE_PARAM_FIRST + (int)i;

        if (w->params[i].text)
            bind_z(st, at, w->params[i].text);
        else
            bind_i(st, at, w->params[i].number);
    }
}

static struct str value_str(sqlite3_value *v)
{
    const char *p = (const char *)sqlite3_value_text(v);

    return (struct str){p, p ? (size_t)sqlite3_value_bytes(v) : 0};
}

static void has_escapes(sqlite3_context *ctx, int n UNUSED, sqlite3_value **v)
{
    struct buf b = BUF_INIT;
    struct str s = value_str(v[0]);

    sqlite3_result_int(ctx, s.n && text_printable(&b, s, false) > 0);
    buf_done(&b);
}

/* has_text(needle, text...): one call instead of a LIKE for each, and the needle is prepared once. */
static void has_text(sqlite3_context *ctx, int n, sqlite3_value **v)
{
    struct needle *nd = sqlite3_get_auxdata(ctx, 0);

    if (!nd) {
        nd = xnew(struct needle);
        needle_init(nd, value_str(v[0]));
        sqlite3_set_auxdata(ctx, 0, nd, free);
        nd = sqlite3_get_auxdata(ctx, 0); /* NULL when SQLite could not keep it */
    }
    for (int i = 1; nd && i < n; i++) {
        struct str text = value_str(v[i]);

        if (text.n && needle_find(nd, text.p, text.n) != SIZE_MAX) {
            sqlite3_result_int(ctx, 1);
            return;
        }
    }
    sqlite3_result_int(ctx, 0);
}

int where_register(sqlite3 *db)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    int rc = sqlite3_create_function_v2(db, "has_escapes", 1, flags, NULL, has_escapes, NULL, NULL,
                                        NULL);

    return rc != SQLITE_OK ? rc
                           : sqlite3_create_function_v2(db, "has_text", -1, flags, NULL, has_text,
                                                        NULL, NULL, NULL);
}
