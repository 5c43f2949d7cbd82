/* SPDX-License-Identifier: ISC */
/*
 *   MX ──records──► fine, or null MX
 *    └─NODATA──► A ──records──► fine
 *                └─NODATA──► AAAA ──► fine, or no host
 */
#include "core/engine/sender_check.h"

#include "core/base/alloc.h"

#define PATIENCE_MS (2 * SECOND_MS)

struct sender_check {
    struct io *io; /* borrowed */
    sender_told *told;
    void *arg;
    char domain[ADDR_DOMAIN_MAX + 1];
    struct io_query *query;
    struct io_timer *timer;
    unsigned type; /* that is asked */
};

static void got(void *arg, const struct dns_answer *a);

const char *sender_verdict_enhanced(enum sender_verdict v)
{
    return v == SENDER_NULL_MX ? "5.7.27" : v > SENDER_UNKNOWN ? "5.1.8" : "";
}

const char *sender_verdict_text(enum sender_verdict v)
{
    switch (v) {
    case SENDER_NULL_MX: return "the sender's domain takes no mail (null MX)";
    case SENDER_NO_DOMAIN: return "the sender's domain does not exist";
    case SENDER_NO_HOST: return "the sender's domain has neither a mail server nor an address";
    default: return "";
    }
}

void sender_check_cancel(struct sender_check *c)
{
    if (!c)
        return;
    if (c->query)
        c->io->ops->cancel(c->query);
    c->io->ops->timer_free(c->timer);
    free(c);
}

static void tell(struct sender_check *c, enum sender_verdict v)
{
    sender_told *told = c->told;
    void *arg = c->arg;
    sender_check_cancel(c);
    told(arg, v);
}

static void too_late(void *arg)
{
    tell(arg, SENDER_UNKNOWN);
}

static void ask(struct sender_check *c, unsigned type)
{
    c->type = type;
    c->query = c->io->ops->ask(c->io, c->domain, type, got, c);
}

static void got_nothing(struct sender_check *c)
{
    if (c->type == DNS_TYPE_MX)
        ask(c, DNS_TYPE_A);
    else if (c->type == DNS_TYPE_A)
        ask(c, DNS_TYPE_AAAA);
    else
        tell(c, SENDER_NO_HOST);
}

static void got(void *arg, const struct dns_answer *a)
{
    struct sender_check *c = arg;
    c->query = NULL;
    switch (a->status) {
    case DNS_OK: {
        bool is_null = c->type == DNS_TYPE_MX && a->n == 1 && !a->records[0].name[0];
        tell(c, is_null ? SENDER_NULL_MX : SENDER_FINE);
        break;
    }
    case DNS_NODATA: got_nothing(c); break;
    case DNS_NXDOMAIN: tell(c, SENDER_NO_DOMAIN); break;
    default: tell(c, SENDER_UNKNOWN); break;
    }
}

struct sender_check *sender_check_begin(struct io *io, const char *domain, sender_told *told,
                                        void *arg)
{
    struct sender_check *c = xnew(struct sender_check);
    c->io = io;
    c->told = told;
    c->arg = arg;
    str_copy(str_of(domain), c->domain, sizeof c->domain);
    c->timer = io->ops->timer_new(io, too_late, c);
    io->ops->timer_start(c->timer, PATIENCE_MS);
    ask(c, DNS_TYPE_MX);
    return c;
}
