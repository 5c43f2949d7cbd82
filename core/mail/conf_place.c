/* SPDX-License-Identifier: ISC */
/* Where things are when nothing is configured: the same answer for the engine and for the console. */
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/mail/conf.h"

char *conf_default_state_dir(void)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (state && state[0] == '/')
        return xasprintf("%s/mxhelm", state);
    if (home && home[0] == '/')
        return xasprintf("%s/.local/state/mxhelm", home);
    return xstrdup("/var/lib/mxhelm");
}

char *conf_default_hostname(void)
{
    char name[ADDR_DOMAIN_MAX + 1];
    char ascii[ADDR_DOMAIN_MAX + 1];
    const char *why;
    if (gethostname(name, sizeof name - 1) < 0)
        return xstrdup("localhost.localdomain");
    name[sizeof name - 1] = '\0';
    if (!domain_to_ascii(str_of(name), ascii, &why))
        return xstrdup("localhost.localdomain");
    return strchr(ascii, '.') ? xstrdup(ascii) : xasprintf("%s.localdomain", ascii);
}
