/* SPDX-License-Identifier: ISC */
/* The file of rules for explanations: read and checked when the configuration is. */
#include "core/mail/conf_private.h"
#include "core/mail/explain.h"

int conf_check_explain(const struct conf_parse *p)
{
    struct explainer *e;
    struct err err = ERR_NONE;
    const char *path = p->c->explain_rules;

    if (!path || !path[0])
        return 0;
    int rc = explainer_new(path, &e, &err);
    explainer_free(e);
    if (!rc || (p->c->is_public && rc == -(int)E_DENIED))
        return 0; /* who only looks at the queue need not be able to read it */
    if (rc == -(int)E_CONFIG)
        return err_set(p->err, E_CONFIG, "%s", err.text); /* names the file and line itself */
    return conf_fail(p, conf_line_near(p, SECTION_EXPLAIN, "rules", 0),
                     "explain.rules: %s; allowed: a file that the engine's user may read",
                     err.text);
}
