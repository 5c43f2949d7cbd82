/* SPDX-License-Identifier: ISC */
/* Addresses and paths: what parses holds nothing that breaks a command, and parses again as written. */
#include "core/mail/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct addr *a)
{
    char text[ADDR_TEXT_MAX], again_text[ADDR_TEXT_MAX];
    struct addr again;
    const char *why;

    addr_text_ascii(a, text);
    verify(!strpbrk(text, "\r\n"));
    if (a->kind != ADDR_DOMAIN)
        return;
    verify(addr_parse(str_of(text), &again, &why));
    addr_text_ascii(&again, again_text);
    verify(strcmp(text, again_text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};
    char name[ADDR_DOMAIN_MAX + 1];
    const char *why;
    struct addr a;
    size_t used;

    if (addr_parse(s, &a, &why))
        check(&a);
    if (addr_parse_path(s, true, true, &a, &used, &why)) {
        verify(used <= size && data[used - 1] == '>');
        check(&a);
    }
    if (domain_to_ascii(s, name, &why))
        domain_special_use(name);
    return 0;
}
