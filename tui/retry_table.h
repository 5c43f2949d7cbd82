/* SPDX-License-Identifier: ISC */
/* config show retry: when a message is tried, by the profile in force and by the others, and what the RFC says. */
#ifndef TUI_RETRY_TABLE_H
#define TUI_RETRY_TABLE_H

#include "core/mail/retry.h"
#include "tui/json.h"

/* The profiles there are, and what is in force when its values are those of none. */
#define RETRY_COLUMNS_MAX 3

struct retry_column {
    const struct retry_policy *policy; /* borrowed */
    struct retry_schedule mail, report;
    bool is_in_force, is_changed; /* changed: by single keys of the configuration */
};

/* in_force is borrowed as long as the columns. Returns how many there are. */
size_t retry_columns(const struct retry_policy *in_force,
                     struct retry_column out[RETRY_COLUMNS_MAX]);

void retry_table_put(struct buf *out, const struct retry_column *columns, size_t n);
/* Returns new (json_print). */
json_t *json_of_retry(const struct retry_column *c);

#endif
