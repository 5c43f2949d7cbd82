/* SPDX-License-Identifier: ISC */
/*
 * The configuration of a scenario: defaults, over which its "config" blocks lay single keys. $DIR is
 * the temporary directory.
 */
#include "core/base/alloc.h"
#include "tests/scenario/scn.h"

static void set_key(struct scn *s, struct str section, struct str key, struct str value)
{
    for (size_t i = 0; i < s->keys_n; i++) {
        struct scn_key *k = &s->keys[i];
        if (str_eq_z(section, k->section) && str_eq_z(key, k->key)) {
            free(k->value);
            k->value = str_dup(value);
            return;
        }
    }
    s->keys = xreallocarray(s->keys, s->keys_n + 1, sizeof(*s->keys));
    s->keys[s->keys_n++] =
        (struct scn_key){.section = str_dup(section), .key = str_dup(key), .value = str_dup(value)};
}

static bool set_line(struct scn *s, struct str line, struct buf *section)
{
    line = str_trim(line);
    if (line.n == 0 || line.p[0] == '#')
        return true;
    if (line.p[0] == '[') {
        buf_clear(section);
        buf_add_str(section, str_sub(line, 1, line.n - 1));
        return true;
    }
    size_t eq = str_find(line, '=');
    if (eq == line.n || section->n == 0)
        return false;
    set_key(s, buf_str(section), str_trim(str_sub(line, 0, eq)),
            str_trim(str_sub(line, eq + 1, line.n)));
    return true;
}

void scn_conf_default(struct scn *s)
{
    static const char defaults[] = "[identity]\n"
                                   "hostname = mail.portal.test\n"
                                   "sender = mailer@portal.test\n"
                                   "[listen]\n"
                                   "smtp = 198.51.100.1:25\n"
                                   "allow = 198.51.100.0/24\n"
                                   "[store]\n"
                                   "path = $DIR/store\n"
                                   "[delivery]\n"
                                   "mode = direct\n"
                                   "[lab]\n"
                                   "special-use = yes\n";
    struct buf section = BUF_INIT;
    struct str rest = STR(defaults);
    while (rest.n > 0)
        set_line(s, str_split(&rest, '\n'), &section);
    buf_done(&section);
}

bool scn_conf_block(struct scn *s)
{
    struct buf section = BUF_INIT;
    struct str line;
    bool is_ok = true;
    while (is_ok && scn_next_line(s, &line) && !str_eq_z(str_trim(line), "}"))
        is_ok = set_line(s, line, &section);
    buf_done(&section);
    return is_ok || scn_fail(s, "not a line of a configuration");
}

static void add_value(const struct scn *s, const char *value, struct buf *out)
{
    const char *at = strstr(value, "$DIR");
    if (!at) {
        buf_add_z(out, value);
        return;
    }
    buf_add(out, value, (size_t)(at - value));
    buf_add_z(out, s->dir);
    buf_add_z(out, at + 4);
}

/* Keys of one section stand together, in the order in which sections first came. */
static void write_text(const struct scn *s, struct buf *out)
{
    for (size_t i = 0; i < s->keys_n; i++) {
        const char *section = s->keys[i].section;
        bool is_first = true;
        for (size_t j = 0; j < i; j++)
            is_first &= strcmp(s->keys[j].section, section) != 0;
        if (!is_first)
            continue;
        buf_printf(out, "[%s]\n", section);
        for (size_t j = i; j < s->keys_n; j++) {
            if (strcmp(s->keys[j].section, section) != 0)
                continue;
            buf_printf(out, "%s = ", s->keys[j].key);
            add_value(s, s->keys[j].value, out);
            buf_add_c(out, '\n');
        }
    }
}

bool scn_conf_make(struct scn *s, struct conf *out)
{
    struct buf text = BUF_INIT;
    struct err err = ERR_NONE;
    const struct conf_defaults d = {.state_dir = s->dir, .hostname = "mail.portal.test"};
    write_text(s, &text);
    conf_init(out, &d);
    int rc = conf_parse(out, buf_str(&text), "config", &err);
    buf_done(&text);
    if (rc) {
        conf_done(out);
        return scn_fail(s, "%s", err.text);
    }
    return true;
}

void scn_conf_done(struct scn *s)
{
    for (size_t i = 0; i < s->keys_n; i++) {
        free(s->keys[i].section);
        free(s->keys[i].key);
        free(s->keys[i].value);
    }
    free(s->keys);
}
