/* SPDX-License-Identifier: ISC */
#include "core/engine/site_queue.h"

/* A rate of the domain's own section; none = no limit. */
static struct rate rate_of_domain(const struct domain *d)
{
    const struct destination_conf *c = conf_destination(d->schedule->engine->conf, d->name, "");
    return c ? c->rate : (struct rate){0};
}

/* And of the section that names the site: for all of its mail. */
static struct rate rate_of_site(const struct site *site)
{
    const struct destination_conf *c =
        conf_destination(site->schedule->engine->conf, "", site->name);
    return c ? c->rate : (struct rate){0};
}

/* 0 = it may go now. */
static int64_t wait_of(struct bucket *b, const struct rate *r, struct schedule *s)
{
    int64_t now = io_mono_ms(s->engine->io), wait = bucket_wait(b, r, now);
    if (wait > 0 && (s->gate_mono_ms == 0 || now + wait < s->gate_mono_ms)) {
        s->gate_mono_ms = now + wait;
        s->engine->io->ops->timer_start(s->gate, wait);
    }
    return wait;
}

void site_queue_put(struct delivery *d)
{
    struct domain *dom = d->domain;
    d->is_gated = rate_of_domain(dom).n > 0;
    ready_push(d->is_gated ? &dom->gated : &dom->site->ready, d);
    if (d->is_gated && list_empty(&dom->gate))
        list_push_back(&dom->site->gated, &dom->gate);
}

/* The first domain that holds something back, or NULL; those that have nothing any more go. */
static struct domain *first_gated(struct site *site)
{
    while (!list_empty(&site->gated)) {
        struct domain *dom = list_entry(site->gated.next, struct domain, gate);
        if (!ready_is_empty(&dom->gated))
            return dom;
        list_remove(&dom->gate);
    }
    return NULL;
}

bool site_queue_is_empty(struct site *site)
{
    return ready_is_empty(&site->ready) && !first_gated(site);
}

const struct delivery *site_queue_any(struct site *site)
{
    struct delivery *d = ready_next(&site->ready, NULL, NULL);
    return d ? d : ready_next(&first_gated(site)->gated, NULL, NULL);
}

/* Of the domains with a rate; one that may go does not wait for the others of its site as well. */
static struct delivery *next_gated(struct site *site,
                                   bool (*fits)(void *arg, const struct delivery *d), void *arg)
{
    list_for_each(l, &site->gated) {
        struct domain *dom = list_entry(l, struct domain, gate);
        struct rate r = rate_of_domain(dom);
        struct delivery *d = ready_next(&dom->gated, fits, arg);
        if (d && wait_of(&dom->bucket, &r, site->schedule) == 0)
            return d;
    }
    return NULL;
}

struct delivery *site_queue_next(struct site *site,
                                 bool (*fits)(void *arg, const struct delivery *d), void *arg)
{
    if (site_queue_is_empty(site))
        return NULL;
    struct rate r = rate_of_site(site);
    if (wait_of(&site->bucket, &r, site->schedule) > 0)
        return NULL;
    struct delivery *d = site->is_gated_next ? next_gated(site, fits, arg) : NULL;
    if (!d)
        d = ready_next(&site->ready, fits, arg);
    return d ? d : next_gated(site, fits, arg);
}

void site_queue_take(struct site *site, struct delivery *d)
{
    struct domain *dom = d->domain;
    struct rate of_domain = rate_of_domain(dom), of_site = rate_of_site(site);
    if (d->is_gated) {
        bucket_take(&dom->bucket, &of_domain);
        ready_take(&dom->gated, d);
        list_remove(&dom->gate); /* its turn is over */
        list_push_back(&site->gated, &dom->gate);
    } else {
        ready_take(&site->ready, d);
    }
    bucket_take(&site->bucket, &of_site);
    site->is_gated_next = !d->is_gated;
}

void site_queue_drain(struct site *site, struct list *out)
{
    ready_drain(&site->ready, out);
    list_for_each_safe(l, &site->gated) {
        ready_drain(&list_entry(l, struct domain, gate)->gated, out);
        list_remove(l);
    }
}
