/* SPDX-License-Identifier: ISC */
/*
 * A text to be explained: whatever it is, what is said of it is harmless on a terminal. Behind "[" it is a
 * file of rules.
 */
#include "core/base/text.h"
#include "core/mail/explain_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_harmless(const char *text)
{
    struct buf b = BUF_INIT;

    verify(text_printable(&b, str_of(text), false) == 0);
    buf_done(&b);
}

static void explain(struct explainer *e, struct str text)
{
    struct explanation x;
    char signature[128];

    explain_text(e, text, &x);
    is_harmless(x.cause);
    is_harmless(x.next);
    is_harmless(x.link);
    verify(x.retry_after_ms >= 0);
    explain_signature(text, signature, sizeof(signature));
    is_harmless(signature);
}

static void read_rules(struct str text)
{
    struct explainer *e = explainer_empty();
    struct err err = ERR_NONE;

    if (explainer_read(e, text, "fuzz", true, true, &err) != 0)
        verify(err.text[0]);
    explainer_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct explainer *e;
    struct str text = {(const char *)data, size};
    struct err err;

    if (!e && explainer_new(NULL, &e, &err) != 0)
        return 0;
    if (size && data[0] == '[')
        read_rules(text);
    else
        explain(e, text);
    return 0;
}
