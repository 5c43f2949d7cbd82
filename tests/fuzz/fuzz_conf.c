/* SPDX-License-Identifier: ISC */
/*
 * A configuration: any text is read or refused with a sentence; what is in force after reading is
 * itself a configuration, key by key.
 */
#include "core/mail/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct conf_defaults d = {"/var/lib/mxhelm", "mail.example.com", false};
    struct err err = ERR_NONE;
    struct conf c;

    conf_init(&c, &d);
    int rc = conf_parse(&c, (struct str){(const char *)data, size}, "fuzz", &err);
    verify(rc == 0 || (rc == -E_CONFIG && err.text[0]));
    if (rc == 0) {
        for (size_t i = 0; conf_value(&c, i); i++)
            verify(conf_explain(conf_value(&c, i)->key) != NULL);
        verify(c.hostname[0] && c.sender[0] && c.store_path);
    }
    conf_done(&c);
    return 0;
}
