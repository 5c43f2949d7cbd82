/* SPDX-License-Identifier: ISC */
/* What the explain_*.c files share. Nobody else includes it but their tests. */
#ifndef MAIL_EXPLAIN_PRIVATE_H
#define MAIL_EXPLAIN_PRIVATE_H

#include "core/base/alloc.h"
#include "core/mail/explain.h"

/* --- explain_words.c: a text as words --- */

#define WORD_MAX 48 /* octets; a longer one is no word that anybody looks for */

/* The kinds that a pattern can name are also the ids of their words. */
enum word_kind {
    WORD_PLAIN,
    WORD_NUMBER, /* <num> */
    WORD_IP,     /* <ip> */
    WORD_ADDR,   /* <addr>: a mail address */
    WORD_URL,    /* <url>: the words of its host follow, its path does not */
    WORD_TIME,   /* <time>: a date, a time, or both */
    WORD_CODE,   /* an enhanced code, or the code of a reply's further line: never looked for */
    WORD_KIND_COUNT
};
const char *word_kind_name(enum word_kind k); /* "num", ... */

struct word {
    enum word_kind kind;
    size_t from, to;     /* where in the text */
    char text[WORD_MAX]; /* folded; not of WORD_IP, _ADDR, _URL, _TIME, _CODE */
    size_t n;            /* 0 when it is longer than WORD_MAX */
    uint32_t hash;
};

struct word_reader {
    struct str text; /* borrowed */
    size_t at;
    size_t chunk_end; /* of the run without blanks that was looked at as a whole */
    size_t url_end;   /* behind the path that is left out; 0 = not in a URL */
};

void words_init(struct word_reader *r, struct str text);
bool words_next(struct word_reader *r, struct word *out);
/* "5.7.1" */
bool words_is_enhanced(struct str s);

/* Room for one more than n; sizes are powers of two, so that n tells what there is. */
static inline void *explain_grow(void *array, size_t n, size_t size)
{
    return n & (n - 1) ? array : xreallocarray(array, n ? 2 * n : 1, size);
}

/* --- explain_match.c: patterns, and finding all of them in one pass --- */

#define SEGMENT_WORDS_MAX    16
#define PATTERN_SEGMENTS_MAX 8
#define WORDS_MAX            2048 /* of a text */
#define GAP_NEAR             10   /* words that ".." may stand for */

enum pattern_use { PATTERN_TEXT, PATTERN_NOT, PATTERN_MARK };

struct pattern {
    enum pattern_use use;
    uint32_t target; /* which rule, or which provider */
    uint32_t segments_n;
    uint32_t gaps[PATTERN_SEGMENTS_MAX]; /* words that may stand before this segment */
    uint32_t cells;                      /* where those of its segments begin */
};

struct node {
    uint32_t end;            /* of which segment: index into ends */
    uint32_t edges, edges_n; /* once they are sorted */
    bool has_ahead;
    uint64_t ahead; /* bits of the words that can follow; bit 63: a segment can end here */
};

struct edge {
    uint32_t from, word, to;
    uint64_t ahead; /* of the node to, so that most edges are turned down by one look */
};

struct segment_end {
    uint32_t pattern, index;
};

struct slot {
    uint64_t key; /* 0 = free */
    uint32_t value;
};

/* Open addressing; keys come from rules, never from a peer. */
struct table {
    struct slot *slots; /* own */
    size_t n, cap;
};

struct dictionary_entry {
    char *text; /* own */
    size_t n;
};

struct matcher {
    struct table words;               /* hash of a word to its id */
    struct dictionary_entry *entries; /* own: by id */
    size_t entries_n;
    struct node *nodes; /* own; 0 is where all segments begin */
    size_t nodes_n;
    struct edge *edges; /* own */
    size_t edges_n;
    struct segment_end *ends; /* own */
    size_t ends_n;
    struct pattern *patterns; /* own */
    size_t patterns_n;
    uint32_t cells_n;
    /* scratch */
    uint32_t *first_edge; /* own: by word, of node 0; 0 where there is none */
    uint64_t *cells;      /* own */
    uint64_t run;
    uint64_t steps; /* nodes that were visited, ever */
};

void matcher_init(struct matcher *m);
void matcher_done(struct matcher *m);
/* Add a pattern in the language of explain.rules. NULL, or what is wrong with it, static: then the matcher
 * is good for nothing but matcher_done. */
const char *matcher_add(struct matcher *m, struct str text, enum pattern_use use, uint32_t target);
/* All patterns in text, each at least once: found(arg, pattern, how many words of it, where it ends). */
void matcher_find(struct matcher *m, struct str text,
                  void (*found)(void *arg, const struct pattern *p, unsigned words, size_t end),
                  void *arg);

/* --- explain_parse.c: rules, classes, providers, as their file says them --- */

#define PROVIDERS_MAX 60
#define CODES_MAX     8
#define ENHANCED_MAX  12
#define TAGS_MAX      4

struct enhanced_code {
    char class;          /* '2', '4', '5', or 'X' = any */
    int subject, detail; /* -1 = any */
};

struct rule_text {
    char *cause, *next, *link; /* own, or NULL: as the class has it */
};

struct rule {
    char *name;    /* own */
    bool is_added; /* by the administrator's file */
    unsigned line;
    int priority;
    enum explain_class class;
    enum explain_owner owner; /* EXPLAIN_OWNER_COUNT = as the class has it */
    enum scope scope;         /* SCOPE_COUNT = as the class has it */
    int cure;                 /* enum explain_permanence, -1 = as the class has it */
    int64_t retry_after_ms;
    struct rule_text say;
    /* conditions */
    char codes[CODES_MAX][4]; /* prefixes: "5", "45", "550" */
    size_t codes_n;
    bool wants_no_code;
    struct enhanced_code enhanced[ENHANCED_MAX];
    size_t enhanced_n;
    uint32_t stages;    /* bits */
    uint64_t providers; /* bits */
    char tags[TAGS_MAX][24];
    size_t tags_n;
    bool wants_relay, wants_direct, wants_many;
    bool has_text;
    int conditions; /* how many of the kinds above */
    /* scratch of one explanation */
    uint64_t found_run, excluded_run;
    uint32_t found_words;
    size_t found_end;
};

struct class_row {
    bool is_given;
    enum explain_owner owner;
    enum scope scope;
    enum explain_permanence cure;
    struct rule_text say;
};

#define HOSTS_MAX 8

struct provider {
    char *name;             /* own */
    char *hosts[HOSTS_MAX]; /* own: "google.com", which stands for all names below it too */
    size_t hosts_n;
};

struct sample {
    char *rule, *text; /* own */
    unsigned line;
};

struct explainer {
    struct matcher matcher;
    struct rule *rules; /* own */
    size_t rules_n;
    struct class_row classes[EXPLAIN_CLASS_COUNT];
    struct provider providers[PROVIDERS_MAX];
    size_t providers_n;
    uint32_t *textless; /* own: rules without a text, highest priority first */
    size_t textless_n;
    struct sample *samples; /* own */
    size_t samples_n;
    /* scratch */
    uint64_t run;
    uint32_t *hits; /* own: rules whose text was found */
    size_t hits_n;
    uint64_t marks; /* providers that the text names */
};

/* explain.rules, NUL-terminated; made by explain_embed.py. */
extern const char explain_builtin[];
extern const size_t explain_builtin_n;

struct explainer *explainer_empty(void);
/* Read rules from memory; name is for messages. */
int explainer_read(struct explainer *e, struct str text, const char *name, bool is_added,
                   bool keep_samples, struct err *err);
/* When all is read: order the rules. E_CONFIG when a class has no words of its own. */
int explainer_finish(struct explainer *e, struct err *err);

/* --- explain_read.c: what a text says of itself --- */

struct facts {
    enum stage stage;
    int code;         /* 0 = none */
    char class_digit; /* '2', '4', '5', or 0 when nothing tells */
    char enhanced[12];
    const char *tag;
    struct str text;
    struct str host;
    struct explain_around around;
};

void facts_from_text(struct facts *f, struct str text);
/* The first "5.7.1" in text whose class is digit (0 = any) into out, "" when there is none. */
void facts_find_enhanced(struct str text, char digit, char out[12]);

/* explain.c: the rule that speaks, or NULL. */
const struct rule *explain_choose(struct explainer *e, const struct facts *f);

#endif
