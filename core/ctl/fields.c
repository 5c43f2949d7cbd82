/* SPDX-License-Identifier: ISC */
#include "core/ctl/fields.h"

#include "core/base/text.h"

json_t *fields_text(struct str s)
{
    if (text_is_utf8(s) && !memchr(s.p ? s.p : "", '\0', s.n))
        return json_stringn_nocheck(s.p ? s.p : "", s.n);
    struct buf b CLEANUP(buf_done) = BUF_INIT;
    while (s.n > 0) {
        size_t len;
        int32_t cp = text_utf8_next(s, &len);
        if (cp <= 0) /* our reader takes no NUL either */
            buf_add_z(&b, "\xEF\xBF\xBD");
        else
            buf_add(&b, s.p, len);
        s = str_sub(s, len, s.n);
    }
    return json_stringn_nocheck(buf_text(&b), b.n);
}

static int64_t clamp(uint64_t n)
{
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static json_t *write_one(const struct field *f, const char *p)
{
    switch (f->kind) {
    case FIELD_TEXT: return fields_text((struct str){p, strnlen(p, f->size)});
    case FIELD_I64: return json_integer(*(const int64_t *)(const void *)p);
    case FIELD_U64: return json_integer(clamp(*(const uint64_t *)(const void *)p));
    case FIELD_UNSIGNED: return json_integer(*(const unsigned *)(const void *)p);
    case FIELD_BOOL: return json_boolean(*(const bool *)(const void *)p);
    case FIELD_ENUM: return json_string(f->enum_name(*(const int *)(const void *)p));
    case FIELD_OBJECT: return fields_write(f->fields, p);
    }
    return NULL;
}

json_t *fields_write(const struct field *table, const void *from)
{
    json_t *o = json_object();
    for (const struct field *f = table; f->name; f++)
        json_object_set_new_nocheck(o, f->name, write_one(f, (const char *)from + f->at));
    return o;
}

/* --- reading --- */

static int wrong_type(const struct field *f, const char *wanted, struct err *err)
{
    return err_set(err, E_SYNTAX, "\"%s\" must be %s", f->name, wanted);
}

static int read_text(const struct field *f, json_t *v, bool is_strict, char *p, struct err *err)
{
    if (!json_is_string(v))
        return wrong_type(f, "a string", err);
    struct str s = {json_string_value(v), json_string_length(v)};
    if (is_strict && s.n >= f->size)
        return err_set(err, E_LIMIT, "\"%s\" is longer than %zu octets", f->name, f->size - 1);
    str_copy(s, p, f->size);
    return 0;
}

static int read_number(const struct field *f, json_t *v, char *p, struct err *err)
{
    if (!json_is_integer(v))
        return wrong_type(f, "a whole number", err);
    json_int_t n = json_integer_value(v);
    if (n < 0)
        return wrong_type(f, "0 or more", err);
    if (f->kind == FIELD_UNSIGNED && n > UINT32_MAX)
        return err_set(err, E_LIMIT, "\"%s\" is larger than %u", f->name, UINT32_MAX);
    if (f->kind == FIELD_UNSIGNED)
        *(unsigned *)(void *)p = (unsigned)n;
    else if (f->kind == FIELD_I64)
        *(int64_t *)(void *)p = n;
    else
        *(uint64_t *)(void *)p = (uint64_t)n;
    return 0;
}

static int read_enum(const struct field *f, json_t *v, char *p, struct err *err)
{
    if (!json_is_string(v))
        return wrong_type(f, "a string", err);
    struct buf known CLEANUP(buf_done) = BUF_INIT;
    const char *name;
    for (int i = 0; (name = f->enum_name(i)); i++) {
        if (strcmp(name, json_string_value(v)) == 0) {
            *(int *)(void *)p = i;
            return 0;
        }
        buf_printf(&known, " %s", name);
    }
    char given[60];
    text_printable_copy((struct str){json_string_value(v), json_string_length(v)}, given,
                        sizeof given);
    return err_set(err, E_SYNTAX, "there is no %s \"%s\"; there are:%s", f->name, given,
                   buf_text(&known));
}

static int read_one(const struct field *f, json_t *v, bool is_strict, char *p, struct err *err)
{
    switch (f->kind) {
    case FIELD_TEXT: return read_text(f, v, is_strict, p, err);
    case FIELD_I64:
    case FIELD_U64:
    case FIELD_UNSIGNED: return read_number(f, v, p, err);
    case FIELD_BOOL:
        if (!json_is_boolean(v))
            return wrong_type(f, "true or false", err);
        *(bool *)(void *)p = json_is_true(v);
        return 0;
    case FIELD_ENUM: return read_enum(f, v, p, err);
    case FIELD_OBJECT: return fields_read(f->fields, v, is_strict, NULL, p, err);
    }
    return 0;
}

static bool is_known(const struct field *table, const char *const *also, const char *key)
{
    for (const struct field *f = table; f->name; f++)
        if (strcmp(f->name, key) == 0)
            return true;
    for (; also && *also; also++)
        if (strcmp(*also, key) == 0)
            return true;
    return false;
}

int fields_read(const struct field *table, json_t *object, bool is_strict,
                const char *const *also_known, void *to, struct err *err)
{
    if (!json_is_object(object))
        return err_set(err, E_SYNTAX, "an object was expected");
    const char *key;
    json_t *v;
    json_object_foreach(object, key, v)
    {
        if (!is_strict || is_known(table, also_known, key))
            continue;
        char given[60];
        text_printable_copy(str_of(key), given, sizeof given);
        return err_set(err, E_SYNTAX, "there is no key \"%s\" here", given);
    }
    for (const struct field *f = table; f->name; f++) {
        v = json_object_get(object, f->name);
        int rc = v ? read_one(f, v, is_strict, (char *)to + f->at, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* --- lines --- */

json_t *fields_parse_line(struct str line, size_t max, struct err *err)
{
    if (line.n > max) {
        err_set(err, E_LIMIT, "a line is longer than %zu KiB", max / 1024);
        return NULL;
    }
    json_error_t e;
    json_t *o = json_loadb(line.p ? line.p : "", line.n, JSON_REJECT_DUPLICATES, &e);
    if (!o) {
        char why[120];
        text_printable_copy(str_of(e.text), why, sizeof why);
        err_set(err, E_SYNTAX, "the line is not JSON: %s (octet %d)", why, e.position);
        return NULL;
    }
    if (!json_is_object(o)) {
        json_decref(o);
        err_set(err, E_SYNTAX, "the line is JSON, but not an object");
        return NULL;
    }
    return o;
}

static int add_to_buf(const char *p, size_t n, void *arg)
{
    buf_add(arg, p, n);
    return 0;
}

void fields_line(json_t *object, struct buf *out)
{
    json_dump_callback(object, add_to_buf, out, JSON_COMPACT);
    buf_add_c(out, '\n');
}
