/* SPDX-License-Identifier: ISC */
#include "core/engine/ready.h"

#include "core/base/alloc.h"

struct lane {
    struct list turn; /* in ready.lanes */
    struct list deliveries;
    int64_t sender_id;
};

void ready_init(struct ready *r)
{
    list_init(&r->lanes);
    r->by_sender = IDMAP_INIT;
}

static void lane_free(struct ready *r, struct lane *lane)
{
    list_remove(&lane->turn);
    idmap_remove(&r->by_sender, lane->sender_id);
    free(lane);
}

/* A lane is looked at when its turn comes: one that has become empty goes then. */
static struct lane *first_lane(struct ready *r)
{
    while (!list_empty(&r->lanes)) {
        struct lane *lane = list_entry(r->lanes.next, struct lane, turn);
        if (!list_empty(&lane->deliveries))
            return lane;
        lane_free(r, lane);
    }
    return NULL;
}

void ready_done(struct ready *r)
{
    list_for_each_safe(l, &r->lanes)
        lane_free(r, list_entry(l, struct lane, turn));
    idmap_done(&r->by_sender);
}

bool ready_is_empty(struct ready *r)
{
    return first_lane(r) == NULL;
}

void ready_push(struct ready *r, struct delivery *d)
{
    int64_t id = d->parcel->sender->id;
    struct lane *lane = idmap_get(&r->by_sender, id);
    if (!lane) {
        lane = xnew(struct lane);
        lane->sender_id = id;
        list_init(&lane->deliveries);
        list_push_back(&r->lanes, &lane->turn);
        idmap_put(&r->by_sender, id, lane);
    }
    list_push_back(&lane->deliveries, &d->link);
}

struct delivery *ready_next(struct ready *r, bool (*fits)(void *arg, const struct delivery *d),
                            void *arg)
{
    list_for_each(l, &r->lanes) {
        struct lane *lane = list_entry(l, struct lane, turn);
        list_for_each(k, &lane->deliveries) {
            struct delivery *d = list_entry(k, struct delivery, link);
            if (!fits || fits(arg, d))
                return d;
        }
    }
    return NULL;
}

void ready_take(struct ready *r, struct delivery *d)
{
    struct lane *lane = idmap_get(&r->by_sender, d->parcel->sender->id);
    list_remove(&d->link);
    list_remove(&lane->turn);
    if (list_empty(&lane->deliveries))
        lane_free(r, lane);
    else
        list_push_back(&r->lanes, &lane->turn);
}

void ready_drain(struct ready *r, struct list *out)
{
    list_for_each_safe(l, &r->lanes) {
        struct lane *lane = list_entry(l, struct lane, turn);
        struct list *d;
        while ((d = list_pop_front(&lane->deliveries)))
            list_push_back(out, d);
        lane_free(r, lane);
    }
}

const struct list *ready_lane(const struct ready *r, const struct sender *sender)
{
    const struct lane *lane = idmap_get(&r->by_sender, sender->id);
    return lane ? &lane->deliveries : NULL;
}
