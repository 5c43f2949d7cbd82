/* SPDX-License-Identifier: ISC */
/*
 * The server machine: a client's bytes in, replies and callbacks out. Every dialogue of the tables is
 * also cut at every octet: the result must be the same however the bytes came.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/buf.h"
#include "core/smtp/server.h"

static const struct smtp_server_limits limits = {.message_bytes = 1000,
                                                 .recipients = 3,
                                                 .commands = 8,
                                                 .idle_ms = 300000,
                                                 .data_idle_ms = 180000};

/* What the owner saw and answers. */
struct owner {
    struct smtp_server *s;
    struct buf seen; /* callbacks, one a line; content where it was handed over */
    struct buf body;
    bool answers_later;
    bool is_asked;
    bool is_open; /* a MAIL was accepted, and neither end nor abort was called */
    int end_code; /* answer to end */
};

static void see_addr(struct buf *out, const struct addr *a)
{
    char text[ADDR_TEXT_MAX];

    addr_text(a, text);
    buf_add_z(out, text);
}

static bool on_mail(void *arg, const struct smtp_envelope *e, struct smtp_answer *a)
{
    struct owner *o = arg;

    buf_add_z(&o->seen, "mail ");
    see_addr(&o->seen, &e->from);
    if (e->declared_bytes)
        buf_printf(&o->seen, " size=%d", (int)e->declared_bytes);
    if (e->is_8bit)
        buf_add_z(&o->seen, " 8bit");
    if (e->is_smtputf8)
        buf_add_z(&o->seen, " utf8");
    if (e->ret)
        buf_printf(&o->seen, " ret=%d", (int)e->ret);
    if (e->envid[0])
        buf_printf(&o->seen, " envid=%s", e->envid);
    buf_add_z(&o->seen, "\n");
    if (strcmp(e->from.local, "refused") == 0) {
        *a = (struct smtp_answer){550, "5.7.1", "not you"};
        return false;
    }
    assert_false(o->is_open);
    o->is_open = true;
    return true;
}

static bool on_rcpt(void *arg, const struct smtp_envelope *e, const struct smtp_server_rcpt *r,
                    struct smtp_answer *a)
{
    struct owner *o = arg;

    (void)e;
    buf_add_z(&o->seen, "rcpt ");
    see_addr(&o->seen, &r->addr);
    if (r->notify)
        buf_printf(&o->seen, " notify=%u", r->notify);
    if (r->orcpt[0])
        buf_printf(&o->seen, " orcpt=%s", r->orcpt);
    buf_add_z(&o->seen, "\n");
    if (strcmp(r->addr.local, "refused") == 0)
        return false; /* the default answer */
    if (strcmp(r->addr.local, "gone") == 0) {
        *a = (struct smtp_answer){421, "4.3.2", "going\r\n250 away"};
        return false;
    }
    return true;
}

static bool on_data(void *arg, const struct smtp_envelope *e, struct smtp_answer *a)
{
    struct owner *o = arg;

    (void)a;
    buf_printf(&o->seen, "data %d\n", (int)e->rcpts_n);
    return strcmp(e->from.local, "nodata") != 0;
}

static void on_body(void *arg, struct str bytes)
{
    struct owner *o = arg;

    assert_true(o->is_open && bytes.n > 0);
    buf_add_str(&o->body, bytes);
}

static void on_end(void *arg, const struct smtp_envelope *e)
{
    struct owner *o = arg;

    assert_true(o->is_open);
    o->is_open = false;
    buf_printf(&o->seen, "end %d {", (int)e->rcpts_n);
    buf_add_str(&o->seen, buf_str(&o->body));
    buf_add_z(&o->seen, "}\n");
    buf_clear(&o->body);
    o->is_asked = true;
    if (!o->answers_later) {
        o->is_asked = false;
        smtp_server_answer(o->s, o->end_code, "2.0.0", "queued", 0);
    }
}

static void on_abort(void *arg)
{
    struct owner *o = arg;

    assert_true(o->is_open);
    o->is_open = false;
    buf_add_z(&o->seen, "abort\n");
    buf_clear(&o->body);
}

static void on_rejected(void *arg, const char *stage, const struct smtp_answer *a,
                        const struct smtp_envelope *e, const char *to)
{
    struct owner *o = arg;

    (void)e;
    buf_printf(&o->seen, "rejected %s %d %s %s\n", stage, a->code, a->enhanced, to);
}

static const struct smtp_server_ops ops = {.mail = on_mail,
                                           .rcpt = on_rcpt,
                                           .data = on_data,
                                           .body = on_body,
                                           .end = on_end,
                                           .abort = on_abort,
                                           .rejected = on_rejected};

static void owner_start(struct owner *o, bool answers_later)
{
    *o = (struct owner){.answers_later = answers_later, .end_code = 250};
    o->s = smtp_server_new("mx.test", &limits, &ops, o, 0);
}

static void owner_done(struct owner *o)
{
    smtp_server_free(o->s);
    buf_done(&o->seen);
    buf_done(&o->body);
}

static void take_output(struct owner *o, struct buf *out)
{
    struct str s = smtp_server_output(o->s);

    buf_add_str(out, s);
    smtp_server_sent(o->s, s.n);
}

static void feed(struct owner *o, struct str bytes, struct buf *out)
{
    /* A copy of its own size: a read behind the end is caught. */
    char *copy = str_dup(bytes);

    smtp_server_input(o->s, (struct str){copy, bytes.n}, 0);
    free(copy);
    take_output(o, out);
    while (o->is_asked) {
        o->is_asked = false;
        smtp_server_answer(o->s, o->end_code, "2.0.0", "queued", 0);
        take_output(o, out);
    }
}

/* Play the bytes, cut at a and b; result in out and *seen. */
static void play(struct str bytes, size_t a, size_t b, bool answers_later, struct buf *out,
                 struct buf *seen)
{
    struct owner o;

    owner_start(&o, answers_later);
    take_output(&o, out);
    feed(&o, str_sub(bytes, 0, a), out);
    feed(&o, str_sub(bytes, a, b), out);
    feed(&o, str_sub(bytes, b, bytes.n), out);
    buf_printf(out, "%s", smtp_server_is_closing(o.s) ? "[closed]" : "");
    smtp_server_free(o.s);
    o.s = NULL;
    buf_add_str(seen, buf_str(&o.seen));
    owner_done(&o);
}

static void assert_same(const char *name, size_t at, const struct buf *got, const struct buf *want)
{
    if (str_eq(buf_str(got), buf_str(want)))
        return;
    print_error("%s, cut at %zu:\n--- got\n%s\n--- want\n%s\n", name, at, buf_text(got),
                buf_text(want));
    fail();
}

/* However the input is cut, octet by octet included, output and callbacks are the same. */
static void assert_cuts_do_not_matter(const char *name, struct str bytes)
{
    struct buf out = BUF_INIT, seen = BUF_INIT;

    play(bytes, bytes.n, bytes.n, false, &out, &seen);
    for (size_t at = 0; at < bytes.n; at++) {
        struct buf out2 = BUF_INIT, seen2 = BUF_INIT;
        size_t b = at + 1 + at % 7;
        play(bytes, at, b < bytes.n ? b : bytes.n, at % 2 == 0, &out2, &seen2);
        assert_same(name, at, &out2, &out);
        assert_same(name, at, &seen2, &seen);
        buf_done(&out2);
        buf_done(&seen2);
    }
    struct owner o;
    struct buf out3 = BUF_INIT;
    owner_start(&o, true);
    take_output(&o, &out3);
    for (size_t i = 0; i < bytes.n; i++)
        feed(&o, str_sub(bytes, i, i + 1), &out3);
    buf_printf(&out3, "%s", smtp_server_is_closing(o.s) ? "[closed]" : "");
    assert_same(name, bytes.n, &out3, &out);
    owner_done(&o);
    buf_done(&out3);
    buf_done(&out);
    buf_done(&seen);
}

#define GREETING "220 mx.test ESMTP mxhelm\r\n"
#define EHLO_REPLY                                                                                 \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"           \
    "250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250 CHUNKING\r\n"
#define OK_MAIL "250 2.1.0 Ok\r\n"
#define OK_RCPT "250 2.1.5 Ok\r\n"
#define GO      "354 End data with <CR><LF>.<CR><LF>\r\n"
#define QUEUED  "250 2.0.0 queued\r\n"
#define BYE     "221 2.0.0 Bye\r\n[closed]"
/* A session up to one recipient. */
#define START   "EHLO c\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"
#define STARTED GREETING EHLO_REPLY OK_MAIL OK_RCPT
#define SEEN    "mail a@x.test\nrcpt b@y.test\n"

struct row {
    const char *name;
    const char *input;
    const char *output; /* NULL = not looked at */
    const char *seen;
};

static const struct row dialogues[] = {
    {"a message in one go, pipelined", START "DATA\r\nS: x\r\n\r\nhi\r\n.\r\nQUIT\r\n",
     STARTED GO QUEUED BYE, SEEN "data 1\nend 1 {S: x\r\n\r\nhi\r\n}\n"},
    {"two messages behind each other",
     START "DATA\r\n1\r\n.\r\nMAIL FROM:<c@x.test>\r\nRCPT TO:<d@y.test>\r\nDATA\r\n2\r\n.\r\n",
     STARTED GO QUEUED OK_MAIL OK_RCPT GO QUEUED,
     SEEN "data 1\nend 1 {1\r\n}\nmail c@x.test\nrcpt d@y.test\ndata 1\nend 1 {2\r\n}\n"},
    {"an empty message", START "DATA\r\n.\r\n", STARTED GO QUEUED, SEEN "data 1\nend 1 {}\n"},
    {"dots are unstuffed at line starts only", START "DATA\r\n..\r\n...a.b\r\n.c\r\nd..\r\n.\r\n",
     STARTED GO QUEUED, SEEN "data 1\nend 1 {.\r\n..a.b\r\nc\r\nd..\r\n}\n"},
    {"HELO has no parameters",
     "HELO c\r\nMAIL FROM:<a@x.test> SIZE=10\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test> "
     "NOTIFY=NEVER\r\n",
     GREETING "250 mx.test\r\n555 5.5.4 Parameter not recognized\r\n" OK_MAIL
              "555 5.5.4 Parameter not recognized\r\n",
     "rejected MAIL 555 5.5.4 \nmail a@x.test\nrejected RCPT 555 5.5.4 b@y.test\nabort\n"},
    {"all parameters",
     "EHLO c\r\nMAIL FROM:<> size=999 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb\r\n"
     "RCPT TO:<b@y.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o+3Dp@y.test\r\n",
     STARTED,
     "mail  size=999 8bit utf8 ret=2 envid=a+b\n"
     "rcpt b@y.test notify=10 orcpt=rfc822;o=p@y.test\nabort\n"},
    {"unknown parameter", "EHLO c\r\nMAIL FROM:<a@x.test> FOO=1\r\n",
     GREETING EHLO_REPLY "555 5.5.4 Parameter not recognized\r\n", "rejected MAIL 555 5.5.4 \n"},
    {"RSET and EHLO drop the transaction", START "RSET\r\nMAIL FROM:<a@x.test>\r\nEHLO d\r\n",
     STARTED "250 2.0.0 Ok\r\n" OK_MAIL EHLO_REPLY, SEEN "abort\nmail a@x.test\nabort\n"},
    {"the session's end drops the transaction", START "QUIT\r\nNOOP\r\n", STARTED BYE,
     SEEN "abort\n"},
    {"an owner refuses", "EHLO c\r\nMAIL FROM:<refused@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n",
     GREETING EHLO_REPLY "550 5.7.1 not you\r\n503 5.5.1 Send MAIL first\r\n"
                         "503 5.5.1 Send MAIL first\r\n",
     "mail refused@x.test\nrejected MAIL 550 5.7.1 \n"},
    {"one recipient is refused, the other gets it",
     "EHLO c\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<refused@y.test>\r\nRCPT TO:<b@y.test>\r\n"
     "DATA\r\nx\r\n.\r\n",
     GREETING EHLO_REPLY OK_MAIL "550 5.7.1 Recipient refused\r\n" OK_RCPT GO QUEUED,
     "mail a@x.test\nrcpt refused@y.test\nrejected RCPT 550 5.7.1 refused@y.test\n"
     "rcpt b@y.test\ndata 1\nend 1 {x\r\n}\n"},
    {"DATA without a recipient: what follows are commands",
     "EHLO c\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<refused@y.test>\r\nDATA\r\n.\r\nRSET\r\n",
     GREETING EHLO_REPLY OK_MAIL "550 5.7.1 Recipient refused\r\n554 5.5.1 No valid recipients\r\n"
                                 "500 5.5.2 Command not recognized\r\n250 2.0.0 Ok\r\n",
     "mail a@x.test\nrcpt refused@y.test\nrejected RCPT 550 5.7.1 refused@y.test\nabort\n"},
    {"DATA is refused by the owner",
     "EHLO c\r\nMAIL FROM:<nodata@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nMAIL "
     "FROM:<a@x.test>\r\n",
     GREETING EHLO_REPLY OK_MAIL OK_RCPT "451 4.3.0 Try again later\r\n" OK_MAIL,
     "mail nodata@x.test\nrcpt b@y.test\ndata 1\nrejected DATA 451 4.3.0 \nabort\n"
     "mail a@x.test\nabort\n"},
    {"too many recipients",
     START "RCPT TO:<c@y.test>\r\nRCPT TO:<d@y.test>\r\nRCPT TO:<e@y.test>\r\nDATA\r\nx\r\n.\r\n",
     STARTED OK_RCPT OK_RCPT "452 4.5.3 Too many recipients\r\n" GO QUEUED,
     SEEN "rcpt c@y.test\nrcpt d@y.test\nrejected RCPT 452 4.5.3 e@y.test\ndata 3\n"
          "end 3 {x\r\n}\n"},
    {"an owner's 421 ends the session and is one line",
     "EHLO c\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<gone@y.test>\r\nNOOP\r\n",
     GREETING EHLO_REPLY OK_MAIL "421 4.3.2 going  250 away\r\n[closed]",
     "mail a@x.test\nrcpt gone@y.test\nrejected RCPT 421 4.3.2 gone@y.test\nabort\n"},
    {"order",
     "MAIL FROM:<a@x.test>\r\nEHLO c\r\nRCPT TO:<b@y.test>\r\nDATA\r\nMAIL FROM:<>\r\n"
     "MAIL FROM:<>\r\n",
     GREETING "503 5.5.1 Send EHLO first\r\n" EHLO_REPLY
              "503 5.5.1 Send MAIL first\r\n503 5.5.1 Send MAIL first\r\n" OK_MAIL
              "503 5.5.1 A transaction is open already\r\n",
     "mail \nabort\n"},
    {"syntax",
     "EHLO\r\nEHLO c\r\nMAIL <a@x.test>\r\nMAIL FROM:a@x.test\r\nMAIL FROM:<a@x.test>X=1\r\n"
     "DATA now\r\n",
     NULL, NULL},
    {"a blank behind the colon is let through", "EHLO c\r\nMAIL FROM: <a@x.test>\r\n",
     GREETING EHLO_REPLY OK_MAIL, "mail a@x.test\nabort\n"},
    {"8-bit addresses need SMTPUTF8",
     "EHLO c\r\nMAIL FROM:<\xc3\xa9@x.test>\r\nMAIL FROM:<\xc3\xa9@x.test> SMTPUTF8\r\n"
     "RCPT TO:<\xc3\xbc@y.test>\r\n",
     GREETING EHLO_REPLY
     "553 5.6.7 Address is not ASCII, and SMTPUTF8 was not given\r\n" OK_MAIL OK_RCPT,
     "rejected MAIL 553 5.6.7 \nmail \xc3\xa9@x.test utf8\nrcpt \xc3\xbc@y.test\nabort\n"},
    {"what is not offered",
     "STARTTLS\r\nAUTH PLAIN x\r\nEXPN l\r\nFOO\r\nVRFY a\r\nHELP\r\nNOOP\r\n",
     GREETING "502 5.5.1 Command not offered here\r\n502 5.5.1 Command not offered here\r\n"
              "502 5.5.1 Command not offered here\r\n500 5.5.2 Command not recognized\r\n"
              "252 2.5.2 Cannot verify, but will take mail and try to deliver it\r\n"
              "214 2.0.0 See RFC 5321\r\n250 2.0.0 Ok\r\n",
     ""},
    {"junk over the budget", "A\r\nB\r\nC\r\nD\r\nE\r\nF\r\nG\r\nH\r\nI\r\nEHLO c\r\n", NULL, ""},
    {"lines without CR are answered, not obeyed", "EHLO c\r\nQUIT\nMAIL FROM:<a@x.test>\n",
     GREETING EHLO_REPLY "500 5.5.2 Lines must end with CR LF\r\n"
                         "500 5.5.2 Lines must end with CR LF\r\n",
     ""},
    {"a bare CR within a command", "EHLO c\r\nQUIT\rNOOP\r\n",
     GREETING EHLO_REPLY "500 5.5.2 Bare CR or NUL in a command\r\n", ""},
    {"a browser", "POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO c\r\nMAIL FROM:<a@x.test>\r\n",
     GREETING "421 4.7.0 mx.test This is no web server\r\n[closed]", ""},
    {"SIZE over the limit at MAIL", "EHLO c\r\nMAIL FROM:<a@x.test> SIZE=1001\r\n",
     GREETING EHLO_REPLY "552 5.3.4 Message size exceeds the limit\r\n",
     "rejected MAIL 552 5.3.4 \n"},
    {"BDAT in two chunks", START "BDAT 4\r\nab\r\nBDAT 5 LAST\r\n.\r\nx\nQUIT\r\n", NULL, NULL},
    {"BDAT counts, dots are content", START "BDAT 4\r\nab\r\nBDAT 7 LAST\r\n.\r\n.\r\nxNOOP\r\n",
     STARTED "250 2.0.0 Octets received\r\n" QUEUED "250 2.0.0 Ok\r\n",
     SEEN "data 1\nend 1 {ab\r\n.\r\n.\r\nx\r\n}\n"},
    {"BDAT 0 LAST ends", START "BDAT 3\r\na\r\nBDAT 0 LAST\r\n",
     STARTED "250 2.0.0 Octets received\r\n" QUEUED, SEEN "data 1\nend 1 {a\r\n}\n"},
    {"a line end across two chunks", START "BDAT 2\r\na\rBDAT 2 LAST\r\n\nb",
     STARTED "250 2.0.0 Octets received\r\n" QUEUED, SEEN "data 1\nend 1 {a\r\nb\r\n}\n"},
    {"BDAT and DATA do not mix",
     START "BDAT 3\r\na\r\nDATA\r\nRCPT TO:<c@y.test>\r\nBDAT 1 LAST\r\nb",
     STARTED "250 2.0.0 Octets received\r\n503 5.5.1 DATA and BDAT do not mix\r\n"
             "503 5.5.1 Recipients must come before the content\r\n" QUEUED,
     SEEN "data 1\nend 1 {a\r\nb\r\n}\n"},
    {"BDAT without a recipient drains its octets",
     "EHLO c\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<refused@y.test>\r\nBDAT 6 "
     "LAST\r\nQUIT\r\nNOOP\r\n",
     GREETING EHLO_REPLY OK_MAIL "550 5.7.1 Recipient refused\r\n554 5.5.1 No valid recipients\r\n"
                                 "250 2.0.0 Ok\r\n",
     "mail a@x.test\nrcpt refused@y.test\nrejected RCPT 550 5.7.1 refused@y.test\nabort\n"},
    {"BDAT refused by the owner, then one more",
     "EHLO c\r\nMAIL FROM:<nodata@x.test>\r\nRCPT TO:<b@y.test>\r\nBDAT 4\r\nabcdBDAT 2 "
     "LAST\r\nefNOOP\r\n",
     GREETING EHLO_REPLY OK_MAIL OK_RCPT
     "451 4.3.0 Try again later\r\n503 5.5.1 Send MAIL first\r\n250 2.0.0 Ok\r\n",
     "mail nodata@x.test\nrcpt b@y.test\ndata 1\nrejected DATA 451 4.3.0 \nabort\n"},
    {"BDAT with a bare LF", START "BDAT 3\r\na\nbBDAT 1 LAST\r\ncNOOP\r\n",
     STARTED "550 5.5.2 Bare CR, bare LF or NUL in the content\r\n503 5.5.1 Send MAIL first\r\n"
             "250 2.0.0 Ok\r\n",
     SEEN "data 1\nabort\nrejected END-OF-MESSAGE 550 5.5.2 \n"},
    {"BDAT that ends in CR", START "BDAT 2 LAST\r\na\rNOOP\r\n",
     STARTED "550 5.5.2 Bare CR, bare LF or NUL in the content\r\n250 2.0.0 Ok\r\n",
     SEEN "data 1\nabort\nrejected END-OF-MESSAGE 550 5.5.2 \n"},
    {"BDAT without a number closes: its octets cannot be told from commands",
     START "BDAT x LAST\r\nMAIL FROM:<evil@x.test>\r\n",
     STARTED "501 5.5.4 Syntax: BDAT octets [LAST]; closing the connection\r\n[closed]",
     SEEN "abort\n"},
};

static void server_speaks_as_the_tables_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(dialogues); i++) {
        const struct row *r = &dialogues[i];
        struct buf out = BUF_INIT, seen = BUF_INIT;
        play(str_of(r->input), SIZE_MAX, SIZE_MAX, false, &out, &seen);
        if ((r->output && !str_eq_z(buf_str(&out), r->output)) ||
            (r->seen && !str_eq_z(buf_str(&seen), r->seen))) {
            print_error("%s:\n--- output\n%s\n--- want\n%s\n--- seen\n%s\n--- want\n%s\n", r->name,
                        buf_text(&out), r->output ? r->output : "", buf_text(&seen),
                        r->seen ? r->seen : "");
            fail();
        }
        buf_done(&out);
        buf_done(&seen);
    }
}

static void any_cut_of_the_input_gives_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(dialogues); i++)
        assert_cuts_do_not_matter(dialogues[i].name, str_of(dialogues[i].input));
}

/* The end-of-data sequences of suuhm/smtp_smuggling_checker.py and kin: what other servers took for an
 * end. '0' in the text stands for NUL. */
static const char *const smuggled[] = {
    "\n.\n",      "\n.\r\n",     "\r.\r",      "\r.\r\n",      "\r\n.\n",
    "\r\n.\r",    "\r.\n",       "\r\n0.\r\n", "\r\n.0\r\n",   "0\r\n.\r0\n",
    "\r0\n.\r\n", "\r\n.\r\r\n", "\n\n.\r\n",  "\r\n.\r0\r\n", "\r\r\n.\n",
};

static void smuggling_is_refused_as_a_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(smuggled); i++) {
        struct buf in = BUF_INIT, out = BUF_INIT, seen = BUF_INIT;
        buf_add_z(&in, START "DATA\r\nSubject: x\r\n\r\nfirst");
        size_t from = in.n;
        buf_add_z(&in, smuggled[i]);
        for (size_t k = from; k < in.n; k++)
            if (in.p[k] == '0')
                in.p[k] = '\0';
        buf_add_z(&in, "MAIL FROM:<evil@x.test>\r\nRCPT TO:<victim@y.test>\r\nDATA\r\nevil\r\n.\r\n"
                       "MAIL FROM:<good@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\ngood\r\n.\r\n");
        play(buf_str(&in), SIZE_MAX, SIZE_MAX, false, &out, &seen);
        assert_string_equal(
            buf_text(&out), STARTED GO
            "550 5.5.2 Bare CR, bare LF or NUL in the content\r\n" OK_MAIL OK_RCPT GO QUEUED);
        assert_string_equal(buf_text(&seen),
                            SEEN "data 1\nabort\nrejected END-OF-MESSAGE 550 5.5.2 \n"
                                 "mail good@x.test\nrcpt b@y.test\ndata 1\nend 1 {good\r\n}\n");
        assert_cuts_do_not_matter("smuggling", buf_str(&in));
        buf_done(&in);
        buf_done(&out);
        buf_done(&seen);
    }
}

static void content_over_the_limit_is_thrown_away_to_its_end(void **state)
{
    (void)state;
    struct buf in = BUF_INIT, out = BUF_INIT, seen = BUF_INIT;

    buf_add_z(&in, START "DATA\r\n");
    for (int i = 0; i < 101; i++)
        buf_add_z(&in, "..345678\r\n"); /* nine octets each without the stuffed dot */
    for (int i = 0; i < 12; i++)
        buf_add_z(&in, "0123456789\r\n");
    buf_add_z(&in, "bare\nLF\r\n.\r\nNOOP\r\n");
    play(buf_str(&in), SIZE_MAX, SIZE_MAX, false, &out, &seen);
    assert_string_equal(buf_text(&out),
                        STARTED GO "552 5.3.4 Message size exceeds the limit\r\n250 2.0.0 Ok\r\n");
    assert_string_equal(buf_text(&seen),
                        SEEN "data 1\nabort\nrejected END-OF-MESSAGE 552 5.3.4 \n");
    assert_cuts_do_not_matter("too big", buf_str(&in));
    buf_done(&in);
    buf_done(&out);
    buf_done(&seen);
}

static void content_of_exactly_the_limit_is_taken(void **state)
{
    (void)state;
    struct buf in = BUF_INIT, out = BUF_INIT, seen = BUF_INIT;

    buf_add_z(&in, START "DATA\r\n");
    for (int i = 0; i < 100; i++)
        buf_add_z(&in, "..345678\r\n");
    buf_add_z(&in, ".");
    for (int i = 0; i < 98; i++)
        buf_add_z(&in, "."); /* 900 + 98 + 2 */
    buf_add_z(&in, "\r\n.\r\n");
    play(buf_str(&in), SIZE_MAX, SIZE_MAX, false, &out, &seen);
    assert_string_equal(buf_text(&out), STARTED GO QUEUED);
    buf_done(&in);
    buf_done(&out);
    buf_done(&seen);
}

static void an_overlong_command_line_is_skipped(void **state)
{
    (void)state;
    struct buf in = BUF_INIT, out = BUF_INIT, seen = BUF_INIT;

    buf_add_z(&in, "EHLO c\r\nNOOP ");
    for (int i = 0; i < 5000; i++)
        buf_add_c(&in, 'x');
    buf_add_z(&in, "\r\nNOOP\r\nNOOP ");
    for (int i = 0; i < 4096 - 7; i++)
        buf_add_c(&in, 'y');
    buf_add_z(&in, "\r\n");
    play(buf_str(&in), SIZE_MAX, SIZE_MAX, false, &out, &seen);
    assert_string_equal(buf_text(&out),
                        GREETING EHLO_REPLY "500 5.5.2 Line too long\r\n250 2.0.0 Ok\r\n"
                                            "250 2.0.0 Ok\r\n");
    assert_cuts_do_not_matter("long line", buf_str(&in));
    buf_done(&in);
    buf_done(&out);
    buf_done(&seen);
}

static void junk_over_the_budget_ends_the_session(void **state)
{
    (void)state;
    struct buf out = BUF_INIT, seen = BUF_INIT;

    play(STR("A\r\nB\r\nC\r\nD\r\nE\r\nF\r\nG\r\nH\r\nI\r\nJ\r\n"), SIZE_MAX, SIZE_MAX, false, &out,
         &seen);
    assert_true(str_ends(buf_str(&out), STR("421 4.7.0 mx.test Too many errors\r\n[closed]")));
    buf_clear(&out);
    play(STR("EHLO 1\r\nEHLO 2\r\nEHLO 3\r\nEHLO 4\r\nEHLO 5\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n"
             "NOOP\r\n"),
         SIZE_MAX, SIZE_MAX, false, &out, &seen);
    assert_true(str_ends(buf_str(&out), STR("421 4.7.0 mx.test Too many errors\r\n[closed]")));
    buf_done(&out);
    buf_done(&seen);
}

static void an_accepted_message_restores_the_budget(void **state)
{
    (void)state;
    struct buf in = BUF_INIT, out = BUF_INIT, seen = BUF_INIT;

    buf_add_z(&in, "EHLO c\r\n");
    for (int i = 0; i < 5; i++)
        buf_add_z(&in, "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nMAIL FROM:<>\r\nRCPT TO:<b@y.test>\r\n"
                       "DATA\r\nx\r\n.\r\n");
    play(buf_str(&in), SIZE_MAX, SIZE_MAX, false, &out, &seen);
    assert_true(str_ends(buf_str(&out), STR(QUEUED)));
    buf_done(&in);
    buf_done(&out);
    buf_done(&seen);
}

static void input_waits_for_the_answer(void **state)
{
    (void)state;
    struct owner o;
    struct buf out = BUF_INIT;

    owner_start(&o, true);
    smtp_server_input(o.s, STR(START "DATA\r\nx\r\n.\r\nNOOP\r\n"), 10);
    take_output(&o, &out);
    assert_string_equal(buf_text(&out), STARTED GO);
    assert_true(smtp_server_is_waiting(o.s));
    assert_true(smtp_server_deadline(o.s) == INT64_MAX);
    smtp_server_timeout(o.s, 1000000000);
    smtp_server_input(o.s, STR("QUIT\r\n"), 20);
    assert_true(smtp_server_output(o.s).n == 0);
    smtp_server_answer(o.s, 451, "4.3.0", "later", 30);
    buf_clear(&out);
    take_output(&o, &out);
    assert_string_equal(buf_text(&out), "451 4.3.0 later\r\n250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n");
    assert_true(smtp_server_is_closing(o.s));
    assert_non_null(strstr(buf_text(&o.seen), "rejected END-OF-MESSAGE 451"));
    owner_done(&o);
    buf_done(&out);
}

static void freeing_drops_an_open_transaction_once(void **state)
{
    (void)state;
    struct owner o;

    owner_start(&o, true);
    smtp_server_input(o.s, STR(START "DATA\r\nhal"), 0);
    smtp_server_free(o.s);
    assert_string_equal(buf_text(&o.seen), SEEN "data 1\nabort\n");
    buf_done(&o.seen);
    buf_done(&o.body);
    /* After end the message is the owner's. */
    owner_start(&o, true);
    smtp_server_input(o.s, STR(START "DATA\r\n.\r\n"), 0);
    smtp_server_free(o.s);
    assert_string_equal(buf_text(&o.seen), SEEN "data 1\nend 1 {}\n");
    buf_done(&o.seen);
    buf_done(&o.body);
}

static void deadlines_count_from_the_last_whole_command(void **state)
{
    (void)state;
    struct owner o;
    struct buf out = BUF_INIT;

    owner_start(&o, false);
    take_output(&o, &out);
    assert_int_equal(smtp_server_deadline(o.s), 300000);
    smtp_server_input(o.s, STR("EHLO"), 1000);
    assert_int_equal(smtp_server_deadline(o.s), 300000);
    smtp_server_input(o.s,
                      STR(" c\r\n"
                          "MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"),
                      2000);
    assert_int_equal(smtp_server_deadline(o.s), 302000);
    smtp_server_input(o.s, STR("DATA\r\n"), 3000);
    assert_int_equal(smtp_server_deadline(o.s), 183000);
    smtp_server_input(o.s, STR("x"), 4000);
    assert_int_equal(smtp_server_deadline(o.s), 184000);
    smtp_server_timeout(o.s, 183999);
    assert_false(smtp_server_is_closing(o.s));
    buf_clear(&out);
    take_output(&o, &out);
    smtp_server_timeout(o.s, 184000);
    buf_clear(&out);
    take_output(&o, &out);
    assert_string_equal(buf_text(&out), "421 4.4.2 mx.test Timed out waiting for input\r\n");
    assert_true(smtp_server_is_closing(o.s));
    assert_true(str_ends(buf_str(&o.seen), STR("abort\n")));
    owner_done(&o);
    buf_done(&out);
}

static void draining_answers_the_message_and_then_goes(void **state)
{
    (void)state;
    struct owner o;
    struct buf out = BUF_INIT;

    owner_start(&o, true);
    smtp_server_input(o.s, STR(START "DATA\r\nx\r\n"), 0);
    smtp_server_drain(o.s);
    buf_clear(&out);
    take_output(&o, &out);
    buf_clear(&out);
    feed(&o, STR(".\r\nMAIL FROM:<a@x.test>\r\n"), &out);
    assert_string_equal(buf_text(&out),
                        QUEUED "421 4.3.2 mx.test Service shutting down, try again later\r\n");
    assert_true(smtp_server_is_closing(o.s));
    owner_done(&o);
    buf_done(&out);
}

static void draining_an_idle_session_says_421_at_once(void **state)
{
    (void)state;
    struct owner o;
    struct buf out = BUF_INIT;

    owner_start(&o, true);
    smtp_server_input(o.s, STR("EHLO c\r\nMAIL FROM:<a@x.test>\r\n"), 0);
    take_output(&o, &out);
    buf_clear(&out);
    smtp_server_drain(o.s);
    take_output(&o, &out);
    assert_string_equal(buf_text(&out),
                        "421 4.3.2 mx.test Service shutting down, try again later\r\n");
    assert_true(smtp_server_is_closing(o.s));
    assert_true(str_ends(buf_str(&o.seen), STR("abort\n")));
    owner_done(&o);
    buf_done(&out);
}

static void draining_says_421_behind_the_last_answer(void **state)
{
    (void)state;
    struct owner o;
    struct buf out = BUF_INIT;

    owner_start(&o, true);
    smtp_server_input(o.s, STR(START "DATA\r\nx\r\n"), 0);
    smtp_server_drain(o.s);
    take_output(&o, &out);
    buf_clear(&out);
    feed(&o, STR(".\r\n"), &out);
    assert_string_equal(buf_text(&out),
                        QUEUED "421 4.3.2 mx.test Service shutting down, try again later\r\n");
    assert_true(smtp_server_is_closing(o.s));
    owner_done(&o);
    buf_done(&out);
}

static void stopping_breaks_off_content_that_does_not_end(void **state)
{
    (void)state;
    struct owner o;
    struct buf out = BUF_INIT;

    owner_start(&o, true);
    smtp_server_input(o.s, STR(START "DATA\r\nx\r\n"), 0);
    smtp_server_drain(o.s);
    take_output(&o, &out);
    buf_clear(&out);
    assert_false(smtp_server_is_closing(o.s));
    smtp_server_stop(o.s);
    take_output(&o, &out);
    assert_string_equal(buf_text(&out),
                        "421 4.3.2 mx.test Service shutting down, try again later\r\n");
    assert_true(smtp_server_is_closing(o.s));
    assert_true(str_ends(buf_str(&o.seen), STR("abort\n")));
    owner_done(&o);
    buf_done(&out);
}

static void a_refused_session_only_answers_quit(void **state)
{
    (void)state;
    struct owner o = {0};
    struct buf out = BUF_INIT;
    struct smtp_answer a = {554, "5.7.1", "not from there"};

    o.s = smtp_server_new_refusing("mx.test", &a, &limits, &ops, &o, 0);
    take_output(&o, &out);
    feed(&o, STR("EHLO c\r\nQUIT\r\n"), &out);
    assert_string_equal(buf_text(&out), "554 5.7.1 not from there\r\n"
                                        "503 5.5.1 No service here, only QUIT\r\n"
                                        "221 2.0.0 Bye\r\n");
    assert_string_equal(buf_text(&o.seen), "rejected CONNECT 554 5.7.1 \n");
    owner_done(&o);
    a = (struct smtp_answer){421, "4.3.2", "busy"};
    o = (struct owner){0};
    o.s = smtp_server_new_refusing("mx.test", &a, &limits, &ops, &o, 0);
    assert_true(smtp_server_is_closing(o.s));
    owner_done(&o);
    buf_done(&out);
}

static void parameters_are_strict(void **state)
{
    static const struct {
        const char *mail, *rcpt;
        const char *want; /* beginning of the reply to the last of them */
    } rows[] = {
        {"SIZE=", NULL, "501 5.5.4"},
        {"SIZE=1x", NULL, "501 5.5.4"},
        {"SIZE=99999999999999999999", NULL, "501 5.5.4"},
        {"SIZE=1 SIZE=1", NULL, "501 5.5.4"},
        {"BODY=BINARYMIME", NULL, "501 5.5.4"},
        {"BODY=7BIT", NULL, "250"},
        {"SMTPUTF8=1", NULL, "501 5.5.4"},
        {"RET=ALL", NULL, "501 5.5.4"},
        {"ENVID=", NULL, "501 5.5.4"},
        {"ENVID=a+2b", NULL, "501 5.5.4"}, /* lower-case digits */
        {"ENVID=a+0A", NULL, "501 5.5.4"},
        {"AUTH=<>", NULL, "555 5.5.4"},
        {"NOTIFY=NEVER", NULL, "555 5.5.4"},
        {"RET=FULL", "NOTIFY=NEVER,DELAY", "501 5.5.4"},
        {"RET=FULL", "NOTIFY=", "501 5.5.4"},
        {"RET=FULL", "NOTIFY=FAILURE,", "501 5.5.4"},
        {"RET=FULL", "NOTIFY=,FAILURE", "501 5.5.4"},
        {"RET=FULL", "ORCPT=a@b", "501 5.5.4"},
        {"RET=FULL", "ORCPT=;a@b", "501 5.5.4"},
        {"RET=FULL", "ORCPT=rfc822;", "501 5.5.4"},
        {"RET=FULL", "ORCPT=rfc822;a+00", "501 5.5.4"},
        {"RET=FULL", "ORCPT=rfc822;a ORCPT=rfc822;a", "501 5.5.4"},
        {"SMTPUTF8", "ORCPT=utf-8;\xc3\xa9@x", "250"},
        {"SMTPUTF8", "ORCPT=utf-8;\xc3@x", "501 5.5.4"},
        {"RET=FULL", "SIZE=1", "555 5.5.4"},
        {"RET=FULL", "ORCPT=rfc822;a@b NOTIFY=failure", "250"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf in = BUF_INIT, out = BUF_INIT, seen = BUF_INIT;
        buf_printf(&in, "EHLO c\r\nMAIL FROM:<a@x.test> %s\r\n", rows[i].mail);
        if (rows[i].rcpt)
            buf_printf(&in, "RCPT TO:<b@y.test> %s\r\n", rows[i].rcpt);
        play(buf_str(&in), SIZE_MAX, SIZE_MAX, false, &out, &seen);
        const char *last = buf_text(&out) + strlen(GREETING EHLO_REPLY);
        last += rows[i].rcpt ? strlen(OK_MAIL) : 0;
        if (strncmp(last, rows[i].want, strlen(rows[i].want)) != 0) {
            print_error("%s %s: %s\n", rows[i].mail, rows[i].rcpt ? rows[i].rcpt : "", last);
            fail();
        }
        buf_done(&in);
        buf_done(&out);
        buf_done(&seen);
    }
}

static void long_content_passes_in_long_runs(void **state)
{
    (void)state;
    struct owner o;
    struct buf in = BUF_INIT, out = BUF_INIT;
    static const struct smtp_server_limits wide = {
        .message_bytes = 0, .recipients = 1, .commands = 1, .idle_ms = 1, .data_idle_ms = 1};

    o = (struct owner){.end_code = 250};
    o.s = smtp_server_new("mx.test", &wide, &ops, &o, 0);
    buf_add_z(&in, START "DATA\r\n");
    for (int i = 0; i < 20000; i++)
        buf_printf(&in, "%s line %d\r\n", i % 1000 ? "a" : "..", i);
    buf_add_z(&in, ".\r\n");
    feed(&o, buf_str(&in), &out);
    assert_true(str_ends(buf_str(&out), STR(QUEUED)));
    assert_non_null(strstr(buf_text(&o.seen), "\r\n. line 1000\r\n"));
    assert_null(strstr(buf_text(&o.seen), "\r\n.. line"));
    owner_done(&o);
    buf_done(&in);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_speaks_as_the_tables_say),
        cmocka_unit_test(any_cut_of_the_input_gives_the_same),
        cmocka_unit_test(smuggling_is_refused_as_a_whole),
        cmocka_unit_test(content_over_the_limit_is_thrown_away_to_its_end),
        cmocka_unit_test(content_of_exactly_the_limit_is_taken),
        cmocka_unit_test(an_overlong_command_line_is_skipped),
        cmocka_unit_test(junk_over_the_budget_ends_the_session),
        cmocka_unit_test(an_accepted_message_restores_the_budget),
        cmocka_unit_test(input_waits_for_the_answer),
        cmocka_unit_test(freeing_drops_an_open_transaction_once),
        cmocka_unit_test(deadlines_count_from_the_last_whole_command),
        cmocka_unit_test(draining_answers_the_message_and_then_goes),
        cmocka_unit_test(draining_an_idle_session_says_421_at_once),
        cmocka_unit_test(draining_says_421_behind_the_last_answer),
        cmocka_unit_test(stopping_breaks_off_content_that_does_not_end),
        cmocka_unit_test(a_refused_session_only_answers_quit),
        cmocka_unit_test(parameters_are_strict),
        cmocka_unit_test(long_content_passes_in_long_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
