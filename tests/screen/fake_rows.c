/* SPDX-License-Identifier: ISC */
/* The rows and lines of the fake feed. */
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/mail/id.h"
#include "tests/screen/fake_rows.h"

struct seed {
    enum rcpt_state state;
    unsigned tries;
    int age_min, next_min;
    int size_kb, code;
    const char *enhanced, *cause, *from, *to, *domain, *info, *subject, *note;
};

static const struct seed busy[] = {
    {RCPT_QUEUED, 7, 192, 2, 41, 421, "4.7.28", "eod 421 4.7.28", "news@shop.example",
     "anna@gmail.example", "gmail.example",
     "host mx.gmail.example[192.0.2.77] said: 421 4.7.28 Our system has detected an unusual rate "
     "of "
     "unsolicited mail originating from your IP address. To protect our users, mail sent from your "
     "address has been temporarily rate limited. (in reply to end of DATA command)",
     "Spring sale: 30% off until Sunday", ""},
    {RCPT_QUEUED, 7, 192, 3, 41, 421, "4.7.28", "eod 421 4.7.28", "news@shop.example",
     "bob.k@gmail.example", "gmail.example",
     "host mx.gmail.example[192.0.2.77] said: 421 4.7.28 Our system has detected an unusual rate",
     "Spring sale: 30% off until Sunday", ""},
    {RCPT_ACTIVE, 0, 0, 0, 12, 0, "", "", "receipts@shop.example", "d.moreau@gmail.example",
     "gmail.example", "", "Your receipt 4711", ""},
    {RCPT_QUEUED, 0, 1, 0, 3, 0, "", "", "alerts@shop.example", "ops@partner.example",
     "partner.example", "", "Disk nearly full on db2", ""},
    {RCPT_HELD, 0, 40, 0, 3, 0, "", "", "alerts@shop.example", "e@gmail.example", "gmail.example",
     "", "Weekly report", "held by uid 1000: waits for legal"},
    {RCPT_QUEUED, 2, 47, 9, 7, 0, "4.4.1", "connect ETIMEDOUT", "receipts@shop.example",
     "li@down.example", "down.example",
     "connect to mx.down.example[203.0.113.9]:25: Connection timed out", "Your receipt 4712", ""},
    {RCPT_QUEUED, 1, 6, 4, 2, 451, "4.7.1", "rcpt 451 4.7.1", "receipts@shop.example",
     "kim@grey.example", "grey.example",
     "host mx.grey.example[192.0.2.30] said: 451 4.7.1 Greylisted, please try again (in reply to "
     "RCPT TO command)",
     "Your receipt 4713", ""},
    {RCPT_UNCONFIRMED, 1, 90, 30, 18, 0, "4.4.2", "eod lost", "news@shop.example",
     "paul@slow.example", "slow.example",
     "lost connection with mx.slow.example[192.0.2.44] after end of DATA", "November news", ""},
    {RCPT_QUEUED, 5, 301, 31, 22, 452, "4.2.2", "rcpt 452 4.2.2", "news@shop.example",
     "jo@full.example", "full.example",
     "host mx.full.example[192.0.2.50] said: 452 4.2.2 Mailbox full (in reply to RCPT TO command)",
     "November news", ""},
};

static const struct seed ended[] = {
    {RCPT_DELIVERED, 1, 12, 0, 9, 250, "2.0.0", "", "receipts@shop.example", "m@web.example",
     "web.example", "host mx.web.example[192.0.2.60] said: 250 2.0.0 Ok: queued as 4Xk2", "Receipt",
     ""},
    {RCPT_BOUNCED, 1, 14, 0, 9, 550, "5.1.1", "rcpt 550 5.1.1", "news@shop.example",
     "nobody@web.example", "web.example",
     "host mx.web.example[192.0.2.60] said: 550 5.1.1 <nobody@web.example>: User unknown", "News",
     ""},
};

static const struct seed hostile[] = {
    {RCPT_QUEUED, 1, 5, 5, 1, 421, "4.7.0", "rcpt 421", "\033[31mred@evil.example",
     "\xe2\x80\xaegnp.exe@evil.example", "evil.example",
     "421 4.7.0 \033[2J\033]0;owned\007\033[77;7Hgo\rOVER\bWRITE",
     "clear \033[2J title \033]0;x\007", ""},
    {RCPT_QUEUED, 1, 6, 5, 1, 421, "4.7.0", "rcpt 421",
     "c1\xc2\x9b"
     "2J@evil.example",
     "raw\x9b\x9d"
     "0;x@evil.example",
     "evil.example",
     "421 \xc2\x9d"
     "0;title\xc2\x9c \033P1$q\033\\ \xff\xfe",
     "DCS \033P and C1 \xc2\x90", ""},
    {RCPT_QUEUED, 1, 7, 5, 1, 421, "4.7.0", "rcpt 421", "zero\xe2\x80\x8bwidth@evil.example",
     "joi\xe2\x80\x8dner@evil.example", "evil.example",
     "421 \xe2\x81\xa6isolate\xe2\x81\xa9 \xef\xbb\xbf bom \xe2\x80\xa8 line\r\n421 separator",
     "\xe2\x80\xaalre \xe2\x80\xac", ""},
    {RCPT_QUEUED, 1, 8, 5, 1, 421, "4.7.0", "rcpt 421",
     "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e@evil.example",
     "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81tude@evil.example", "evil.example",
     "421 \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e emoji \xf0\x9f\x98\x80 new \xf0\x9f\xab\xa8",
     "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e wide", ""},
};

static void fill(struct view_row *r, const struct seed *s, size_t i)
{
    int64_t arrival = FAKE_NOW_MS - s->age_min * MINUTE_MS - 5 * SECOND_MS;

    *r = (struct view_row){.rcpt_id = (id_floor(arrival) | (int64_t)(2 * i + 1)),
                           .message_id = (id_floor(arrival) | (int64_t)(2 * i)),
                           .state = s->state,
                           .tries = s->tries,
                           .arrival_wall_ms = arrival,
                           .size_bytes = (uint64_t)s->size_kb * 1024,
                           .code = s->code};
    if (!rcpt_state_is_final(s->state))
        r->next_wall_ms = FAKE_NOW_MS + s->next_min * MINUTE_MS;
    else
        r->finished_wall_ms = arrival + MINUTE_MS;
    str_copy(str_of(s->enhanced), r->enhanced, sizeof(r->enhanced));
    str_copy(str_of(s->cause), r->cause, sizeof(r->cause));
    str_copy(str_of(s->from), r->from, sizeof(r->from));
    str_copy(str_of(s->to), r->to, sizeof(r->to));
    str_copy(str_of(s->domain), r->domain, sizeof(r->domain));
    str_copy(str_of(s->domain), r->site, sizeof(r->site));
    str_copy(str_of(s->info), r->info, sizeof(r->info));
    str_copy(str_of(s->subject), r->subject, sizeof(r->subject));
    str_copy(str_of(s->note), r->note, sizeof(r->note));
}

static size_t fill_all(struct view_row *rows, size_t at, const struct seed *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fill(&rows[at + i], &s[i], at + i);
    return at + n;
}

size_t fake_rows_many(struct view_row *rows, size_t max)
{
    for (size_t i = 0; i < max; i++) {
        fill(&rows[i], &busy[i % 2 ? 6 : 0], i);
        rows[i].arrival_wall_ms = FAKE_NOW_MS - (int64_t)(max - i) * SECOND_MS;
        rows[i].rcpt_id = (id_floor(rows[i].arrival_wall_ms) | 1);
        rows[i].message_id = id_floor(rows[i].arrival_wall_ms);
        snprintf(rows[i].to, sizeof(rows[i].to), "user%04zu@%s", i, rows[i].domain);
    }
    return max;
}

size_t fake_rows_busy(struct view_row *rows)
{
    size_t n = fill_all(rows, 0, busy, ARRAY_LEN(busy));

    return fill_all(rows, n, ended, ARRAY_LEN(ended));
}

size_t fake_rows_hostile(struct view_row *rows)
{
    return fill_all(rows, 0, hostile, ARRAY_LEN(hostile));
}

static void add_line(struct fake_line *l, int64_t wall_ms, size_t i, const char *text)
{
    l->id = id_floor(wall_ms) + (int64_t)i;
    l->wall_ms = wall_ms;
    str_copy(str_of(text), l->text, sizeof(l->text));
}

/* Delivery lines as logline.h words them: a run of successes with a failure now and then. */
size_t fake_lines_busy(struct fake_line *lines, size_t max)
{
    for (size_t i = 0; i < max; i++) {
        int64_t wall = FAKE_NOW_MS - (int64_t)(max - i) * 2 * SECOND_MS;
        char text[600], id[ID_TEXT_MAX];

        id_text(id_floor(wall - MINUTE_MS), id);
        if (i % 50 == 17)
            snprintf(text, sizeof(text),
                     "NOQUEUE: reject: RCPT from helo.example[198.51.100.7]: 554 5.7.1 "
                     "<x@far.example>: Relay access denied; from=<a@b.example> to=<x@far.example> "
                     "proto=ESMTP helo=<helo.example>");
        else if (i % 20 == 11)
            snprintf(text, sizeof(text),
                     "%s: to=<nobody%zu@web.example>, relay=mx.web.example[192.0.2.60]:25, "
                     "delay=0.4, delays=0.1/0/0.1/0.2, dsn=5.1.1, status=bounced (host "
                     "mx.web.example[192.0.2.60] said: 550 5.1.1 User unknown)",
                     id, i);
        else if (i % 7 == 3)
            snprintf(text, sizeof(text),
                     "%s: to=<anna%zu@gmail.example>, relay=mx.gmail.example[192.0.2.77]:25, "
                     "delay=0.6, delays=0.1/0/0.2/0.3, dsn=4.7.28, status=deferred (host "
                     "mx.gmail.example[192.0.2.77] said: 421 4.7.28 Our system has detected an "
                     "unusual rate of unsolicited mail)",
                     id, i);
        else
            snprintf(text, sizeof(text),
                     "%s: to=<m%zu@web.example>, relay=mx.web.example[192.0.2.60]:25, delay=0.3, "
                     "delays=0.1/0/0.1/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as %zX)",
                     id, i, i * 7919);
        add_line(&lines[i], wall, i, text);
    }
    return max;
}

size_t fake_lines_hostile(struct fake_line *lines)
{
    static const char *const replies[] = {
        "421 \033[2J\033]0;owned\007\033[77;7H gone",
        ("421 \xc2\x9b"
         "31m red \x9b raw \033P1$q\033\\"),
        "421 \xe2\x80\xae bidi \xe2\x80\x8b zero \xe2\x81\xa6 isolate",
        "421 carriage\rRETURN and back\b\b\bspace\ttab",
        "421 \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e wide and e\xcc\x81 combined \xff\xc0\x80 invalid",
    };
    char text[900], id[ID_TEXT_MAX];

    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        int64_t wall = FAKE_NOW_MS - (int64_t)(ARRAY_LEN(replies) - i) * SECOND_MS;

        snprintf(text, sizeof(text),
                 "%s: to=<u%zu@evil.example>, relay=mx.evil.example[192.0.2.66]:25, delay=1, "
                 "delays=0/0/0/1, dsn=4.7.0, status=deferred (%s)",
                 id_text(id_floor(wall), id), i, replies[i]);
        add_line(&lines[i], wall, i, text);
    }
    return ARRAY_LEN(replies);
}
