/* SPDX-License-Identifier: ISC */
#include "core/check/check.h"

/* One name of a list, made a string of its own in place; NULL at the end. */
static char *next_name(char **rest)
{
    char *name = *rest + strspn(*rest, " \t");
    size_t n = strcspn(name, " \t");
    if (n == 0)
        return NULL;
    *rest = name + n + (name[n] != '\0');
    name[n] = '\0';
    return name;
}

void check_receivers_choose(struct check_receivers *r, const struct conf *conf,
                            const char *const *waiting, size_t waiting_n)
{
    r->n = 0;
    for (size_t i = 0; i < waiting_n && r->n < CHECK_RECEIVERS_MAX; i++) {
        /* An address literal has no servers to look up. */
        if (waiting[i][0] && waiting[i][0] != '[')
            r->names[r->n++] = waiting[i];
    }
    if (r->n > 0)
        return;
    str_copy(str_of(conf->check_receivers), r->text, sizeof r->text);
    char *rest = r->text, *name;
    while (r->n < CHECK_RECEIVERS_MAX && (name = next_name(&rest)))
        r->names[r->n++] = name;
}
