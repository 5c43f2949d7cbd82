/* SPDX-License-Identifier: ISC */
/* What the conf_*.c files share: the table of keys, and what a file said. Nobody else includes it. */
#ifndef MAIL_CONF_PRIVATE_H
#define MAIL_CONF_PRIVATE_H

#include "core/mail/conf.h"

enum conf_section {
    SECTION_IDENTITY,
    SECTION_LISTEN,
    SECTION_STORE,
    SECTION_DNS,
    SECTION_DELIVERY,
    SECTION_RELAY,
    SECTION_ROUTE,
    SECTION_RETRY,
    SECTION_REPORT,
    SECTION_DESTINATION,
    SECTION_FROM,
    SECTION_CHECK,
    SECTION_EXPLAIN,
    SECTION_LAB,
    SECTION_LOG,
    SECTION_COUNT
};

struct conf_section_row {
    const char *name;
    const char *argument; /* what stands in the quotes, for messages; NULL = a plain section */
};
extern const struct conf_section_row conf_sections[SECTION_COUNT];

enum conf_type {
    TYPE_HOSTNAME,  /* char[ADDR_DOMAIN_MAX + 1] */
    TYPE_MAILBOX,   /* char[ADDR_TEXT_MAX]; words[0], if any, is said for an empty one */
    TYPE_WORD,      /* an enum: index into words */
    TYPE_BOOL,      /* yes | no */
    TYPE_IP,        /* struct ip */
    TYPE_HOSTS,     /* struct endpoint[CONF_RELAY_HOSTS_MAX], names are fine */
    TYPE_ENDPOINTS, /* struct endpoint[CONF_ADDRS_MAX], addresses only; min = the default port */
    TYPE_NETS,      /* struct ip_net[CONF_ADDRS_MAX] */
    TYPE_UIDS,      /* uint32_t[CONF_ADDRS_MAX] */
    TYPE_SIZE,      /* uint64_t octets */
    TYPE_COUNT,     /* unsigned */
    TYPE_RATE,      /* struct rate */
    TYPE_PERCENT,   /* unsigned */
    TYPE_DURATION,  /* int64_t ms; min and max too */
    TYPE_PORT,      /* uint16_t */
    TYPE_PATH,      /* char *, absolute; min = 1: not empty */
    TYPE_TEXT,      /* char * */
    TYPE_VIA,       /* int: direct | relay NAME */
    TYPE_RELAY,     /* int: NAME of a relay, or empty */
    TYPE_URL,       /* char *, https:// */
    TYPE_PROFILE    /* struct retry_policy: a whole profile at once */
};

/* One row per key. offset is from the struct of the section: struct conf, or relay_conf,
 * route_conf, destination_conf, from_conf for sections with a name. */
struct conf_key {
    enum conf_section section;
    const char *name;
    enum conf_type type;
    size_t offset;
    size_t offset2; /* of the count, or of the bool that says "was given"; 0 = none */
    uint64_t min, max;
    const char *const *words; /* ends with NULL */
    const char *allowed;
    const char *rfc;
    const char *explain;
};
extern const struct conf_key conf_keys[];
extern const size_t conf_keys_n;

extern const char *const conf_tls_words[];
extern const char *const conf_auth_words[];

const struct conf_key *conf_key_find(enum conf_section section, struct str name);
/* The nearest key of that section to a name with a slip of the finger in it, or NULL. */
const struct conf_key *conf_key_near(enum conf_section section, struct str name);

/* What a key points at, in instance (0 for plain sections). */
void *conf_field(const struct conf *c, const struct conf_key *k, size_t instance);
size_t conf_instances(const struct conf *c, enum conf_section section);
/* The text in a section's quotes, or NULL for plain sections. */
const char *conf_instance_name(const struct conf *c, enum conf_section section, size_t instance);
/* "identity.hostname", "relay.office.host". Returns new (free). */
char *conf_key_text(const struct conf *c, const struct conf_key *k, size_t instance);

/* Set a field from text. False and *why, a static phrase or NULL, when the text is not one. */
bool conf_set(const struct conf *c, const struct conf_key *k, size_t instance, struct str value,
              const char **why);
/* Append the field's value, in the form in which conf_set reads it. */
void conf_show(const struct conf *c, const struct conf_key *k, size_t instance, struct buf *out);
/* What a text of that type is called: "a duration". */
const char *conf_type_noun(enum conf_type t);

/* One "key = value" of the file. */
struct conf_setting {
    const struct conf_key *key;
    size_t instance;
    struct str value; /* borrowed from the file's text */
    unsigned line;
};

struct conf_opened {
    enum conf_section section;
    size_t instance;
    unsigned line;
};

/* A file while it is read. */
struct conf_parse {
    struct conf *c;
    const char *name; /* of the file */
    struct err *err;
    struct conf_setting *settings; /* own */
    size_t settings_n;
    struct conf_opened *opened; /* own */
    size_t opened_n;
};

/* "FILE:LINE: text" as E_CONFIG. */
int conf_fail(const struct conf_parse *p, unsigned line, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Line of a key, or 0 when the file does not set it. */
unsigned conf_line(const struct conf_parse *p, const struct conf_key *k, size_t instance);
/* The same by name; the line of the section, or 0, when it is not set. */
unsigned conf_line_near(const struct conf_parse *p, enum conf_section section, const char *name,
                        size_t instance);

/* What single keys cannot know: missing keys, contradictions. Reads the password files. */
int conf_check(const struct conf_parse *p);
/* conf_relay.c: the same for one relay, its secrets included. */
int conf_check_relay(const struct conf_parse *p, size_t i);
/* conf_report.c: the templates are read and checked. */
int conf_check_reports(const struct conf_parse *p);
/* conf_explain.c: the rules are read and checked. */
int conf_check_explain(const struct conf_parse *p);
/* Fill values. p is NULL for defaults. */
void conf_list_values(struct conf *c, const struct conf_parse *p);

#endif
