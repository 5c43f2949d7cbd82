/* SPDX-License-Identifier: ISC */
#include "core/engine/token.h"

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/ctl/oauth.h"

#define MARGIN_MS (60 * SECOND_MS)
/* When the server does not say how long; RFC 6749 5.1 leaves it open, an hour is usual. */
#define LIFE_UNSAID_S 600

struct token {
    struct io *io;               /* borrowed */
    const struct relay_conf *rc; /* borrowed */
    void (*changed)(void *arg);
    void *arg;
    struct https_fetch *fetch; /* under way, or NULL */
    char *text;                /* own, or NULL */
    char *refresh;             /* own: a newer refresh token than the file's, or NULL */
    int64_t until_mono_ms;
    bool has_failed; /* the last fetch, and nobody was told yet */
    char why[400];
};

struct token *token_new(struct io *io, const struct relay_conf *rc, void (*changed)(void *arg),
                        void *arg)
{
    struct token *t = xnew(struct token);
    t->io = io;
    t->rc = rc;
    t->changed = changed;
    t->arg = arg;
    return t;
}

static void wipe(char **s)
{
    if (*s)
        explicit_bzero(*s, strlen(*s));
    free(*s);
    *s = NULL;
}

void token_free(struct token *t)
{
    if (!t)
        return;
    if (t->fetch)
        t->io->ops->fetch_cancel(t->fetch);
    wipe(&t->text);
    wipe(&t->refresh);
    free(t);
}

static void say(struct token *t, const char *what)
{
    snprintf(t->why, sizeof t->why, "no access token from %.100s: %.250s", t->rc->token_url, what);
    t->has_failed = true;
}

static void take_answer(struct token *t, const struct https_reply *r)
{
    struct oauth_answer a;
    oauth_parse(r->body, &a);
    if (r->status == 200 && a.access_token) {
        wipe(&t->text);
        t->text = a.access_token;
        a.access_token = NULL;
        int64_t life = (a.expires_s ? a.expires_s : LIFE_UNSAID_S) * SECOND_MS;
        t->until_mono_ms = io_mono_ms(t->io) + (life > 2 * MARGIN_MS ? life - MARGIN_MS : life / 2);
        if (a.refresh_token) {
            wipe(&t->refresh);
            t->refresh = a.refresh_token;
            a.refresh_token = NULL;
        }
    } else {
        char text[360];
        snprintf(text, sizeof text, "HTTP %d, %s", r->status, a.why);
        say(t, text);
    }
    oauth_answer_done(&a);
}

static void fetched(void *arg, const struct https_reply *r)
{
    struct token *t = arg;
    t->fetch = NULL;
    if (r->status == 0) {
        char text[250];
        text_printable_copy(str_of(r->why), text, sizeof text);
        say(t, text);
    } else {
        take_answer(t, r);
    }
    t->changed(t->arg);
}

static void add(struct buf *form, const char *key, const char *value)
{
    buf_printf(form, "%s%s=", form->n ? "&" : "", key);
    https_add_escaped(form, str_of(value));
}

static void begin(struct token *t)
{
    struct buf form = BUF_INIT;
    add(&form, "grant_type", "refresh_token");
    add(&form, "client_id", t->rc->client_id);
    if (t->rc->client_secret)
        add(&form, "client_secret", t->rc->client_secret);
    add(&form, "refresh_token", t->refresh ? t->refresh : t->rc->refresh_token);
    struct https_request q = {.url = t->rc->token_url, .form = buf_str(&form)};
    t->fetch = t->io->ops->fetch(t->io, &q, fetched, t);
    explicit_bzero(form.p, form.n);
    buf_done(&form);
}

/* A file that somebody else keeps fresh is read each time: it is small, and local. */
static enum token_state read_file(struct token *t)
{
    const char *why;
    wipe(&t->text);
    if (conf_read_secret(t->rc->token_file, &t->text, &why))
        return TOKEN_READY;
    snprintf(t->why, sizeof t->why, "no access token: %.150s: %.200s", t->rc->token_file, why);
    return TOKEN_FAILED;
}

enum token_state token_want(struct token *t)
{
    if (t->rc->token_file)
        return read_file(t);
    if (t->text && io_mono_ms(t->io) < t->until_mono_ms)
        return TOKEN_READY;
    if (t->has_failed) {
        t->has_failed = false;
        return TOKEN_FAILED;
    }
    if (!t->fetch)
        begin(t);
    return TOKEN_WAIT;
}

const char *token_text(const struct token *t)
{
    return t->text;
}

const char *token_why(const struct token *t)
{
    return t->why;
}

void token_drop(struct token *t)
{
    t->until_mono_ms = 0;
    wipe(&t->text);
}
