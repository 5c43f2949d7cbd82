/* SPDX-License-Identifier: ISC */
/*
 * Finding all patterns in a text in one pass. A pattern is one or more segments, with gaps between them;
 * a segment is a small graph whose edges are words, so that "(user|account) (is|was|) unknown" costs as
 * many edges as it has words. All graphs begin at node 0. From each word of the text the graphs are walked
 * as far as the text goes along with them, SEGMENT_WORDS_MAX deep at most; where a segment ends, the
 * patterns that have it take a step. So the cost of one word is bounded by the rules, never by the
 * text: there is no backtracking.
 *
 * What a pattern has seen is one cell per segment: where its latest end is, and how many words were found
 * up to there. A segment that begins not before the end of the one ahead of it, and within the gap,
 * moves on.
 */
#include "core/base/alloc.h"
#include "core/mail/explain_private.h"

#define GAP_ANY    UINT32_MAX
#define ID_NONE    UINT32_MAX       /* a word that no pattern has */
#define ID_EMPTY   (UINT32_MAX - 1) /* of an edge without a word */
#define INDEX_NONE UINT32_MAX

/* --- tables --- */

static uint64_t mix(uint64_t x)
{
    x *= UINT64_C(0x9e3779b97f4a7c15);
    return x ^ (x >> 29);
}

static struct slot *find_slot(const struct table *t, uint64_t key)
{
    size_t i = (size_t)mix(key) & (t->cap - 1);
    while (t->slots[i].key && t->slots[i].key != key)
        i = (i + 1) & (t->cap - 1);
    return &t->slots[i];
}

/* key is not 0. *value stays when there is none. */
static bool table_get(const struct table *t, uint64_t key, uint32_t *value)
{
    if (t->cap == 0)
        return false;
    const struct slot *s = find_slot(t, key);
    if (s->key)
        *value = s->value;
    return s->key != 0;
}

static void table_put(struct table *t, uint64_t key, uint32_t value)
{
    if (2 * (t->n + 1) > t->cap) {
        struct table old = *t;
        t->cap = old.cap ? 2 * old.cap : 1024;
        t->slots = xcalloc(t->cap, sizeof(*t->slots));
        for (size_t i = 0; i < old.cap; i++)
            if (old.slots[i].key)
                *find_slot(t, old.slots[i].key) = old.slots[i];
        free(old.slots);
    }
    struct slot *s = find_slot(t, key);
    t->n += s->key == 0;
    *s = (struct slot){key, value};
}

/* --- words --- */

static bool is_entry(const struct matcher *m, uint32_t id, const struct word *w)
{
    const struct dictionary_entry *d = &m->entries[id];
    return d->n == w->n && memcmp(d->text, w->text, w->n) == 0;
}

/* Two words of one hash are told apart by the number of the probe. */
static uint64_t word_key(const struct word *w, uint32_t probe)
{
    return ((uint64_t)probe << 32 | w->hash) + 1;
}

static uint32_t word_id(const struct matcher *m, const struct word *w)
{
    uint32_t id;
    if (w->kind != WORD_PLAIN && w->kind != WORD_NUMBER)
        return (uint32_t)w->kind;
    if (w->n == 0)
        return ID_NONE;
    for (uint32_t probe = 0; table_get(&m->words, word_key(w, probe), &id); probe++)
        if (is_entry(m, id, w))
            return id;
    return ID_NONE;
}

static uint32_t new_entry(struct matcher *m, struct str text)
{
    m->entries = explain_grow(m->entries, m->entries_n, sizeof(*m->entries));
    m->entries[m->entries_n] = (struct dictionary_entry){str_dup(text), text.n};
    return (uint32_t)m->entries_n++;
}

static uint32_t word_intern(struct matcher *m, const struct word *w)
{
    uint32_t id = word_id(m, w), other, probe = 0;
    if (id != ID_NONE)
        return id;
    id = new_entry(m, (struct str){w->text, w->n});
    while (table_get(&m->words, word_key(w, probe), &other))
        probe++;
    table_put(&m->words, word_key(w, probe), id);
    return id;
}

/* --- patterns --- */

static uint32_t new_node(struct matcher *m)
{
    m->nodes = explain_grow(m->nodes, m->nodes_n, sizeof(*m->nodes));
    m->nodes[m->nodes_n] = (struct node){.end = INDEX_NONE};
    return (uint32_t)m->nodes_n++;
}

void matcher_init(struct matcher *m)
{
    *m = (struct matcher){0};
    new_node(m);
    for (int k = 0; k < WORD_KIND_COUNT; k++)
        new_entry(m, STR("")); /* the ids of the kinds; no word has no text */
}

void matcher_done(struct matcher *m)
{
    for (size_t i = 0; i < m->entries_n; i++)
        free(m->entries[i].text);
    free(m->entries);
    free(m->nodes);
    free(m->edges);
    free(m->ends);
    free(m->patterns);
    free(m->cells);
    free(m->first_edge);
    free(m->words.slots);
    *m = (struct matcher){0};
}

static void add_edge(struct matcher *m, uint32_t from, uint32_t word, uint32_t to)
{
    m->edges = explain_grow(m->edges, m->edges_n, sizeof(*m->edges));
    m->edges[m->edges_n++] = (struct edge){from, word, to, 0};
}

/* A pattern while it is read. */
struct draft {
    struct matcher *m;
    struct pattern p;
    uint32_t id;
    uint32_t at;  /* the node that was reached */
    size_t words; /* up to there in this segment, at most */
    uint32_t gap; /* before this segment */
    const char *why;
};

static void begin_segment(struct draft *d, uint32_t gap)
{
    d->at = 0;
    d->words = 0;
    d->gap = gap;
}

static void end_segment(struct draft *d, uint32_t next_gap)
{
    struct matcher *m = d->m;
    if (d->words == 0) {
        d->why = "a gap stands at the begin, at the end, or beside another gap";
    } else if (d->words > SEGMENT_WORDS_MAX) {
        d->why = "more than 16 words without a gap";
    } else if (d->p.segments_n == PATTERN_SEGMENTS_MAX) {
        d->why = "more than 7 gaps";
    } else {
        m->ends = explain_grow(m->ends, m->ends_n, sizeof(*m->ends));
        m->ends[m->ends_n] = (struct segment_end){d->id, d->p.segments_n};
        m->nodes[d->at].end = (uint32_t)m->ends_n++;
        d->p.gaps[d->p.segments_n++] = d->gap;
        begin_segment(d, next_gap);
    }
}

static void take_word(struct draft *d, uint32_t id)
{
    uint32_t to = new_node(d->m);
    add_edge(d->m, d->at, id, to);
    d->at = to;
    d->words++;
}

static void take_kind(struct draft *d, struct str name)
{
    for (int k = WORD_NUMBER; k < WORD_CODE; k++) {
        if (!str_eq_z(name, word_kind_name((enum word_kind)k)))
            continue;
        take_word(d, (uint32_t)k);
        return;
    }
    d->why = "in angle brackets stands one of <num> <ip> <addr> <url> <time>";
}

/* What stands between blanks and brackets: mostly one word, several in "re-direct". */
static void take_piece(struct draft *d, struct str piece)
{
    struct word_reader r;
    struct word w;
    size_t before = d->words;
    if (piece.p[0] == '<' && piece.p[piece.n - 1] == '>') {
        take_kind(d, str_sub(piece, 1, piece.n - 1));
        return;
    }
    words_init(&r, piece);
    while (!d->why && words_next(&r, &w)) {
        if (w.kind != WORD_PLAIN && w.kind != WORD_NUMBER)
            d->why = "an address, a time, a URL or an enhanced code, which differ in every text: "
                     "write <addr>, <ip>, <time>, <url>, or use the key \"enhanced\"";
        else if (w.n == 0)
            d->why = "a word of more than 48 octets";
        else
            take_word(d, word_intern(d->m, &w));
    }
    if (!d->why && d->words == before)
        d->why = "punctuation alone, which is never looked for";
}

#define NESTING_MAX 4

static void take_sequence(struct draft *d, struct str *rest, unsigned depth);

/* "(a|b c|)", read up to its closing bracket: each choice leads from the same node to the same node. */
static void take_group(struct draft *d, struct str *rest, unsigned depth)
{
    uint32_t from = d->at, to = new_node(d->m);
    size_t words = d->words, longest = 0;
    do {
        *rest = str_sub(*rest, 1, rest->n); /* the "(" or "|" */
        d->at = from;
        d->words = words;
        take_sequence(d, rest, depth + 1);
        if (!d->why && d->at == from && words == 0)
            d->why =
                "brackets that may be empty stand at the begin or behind a gap, where they mean "
                "nothing";
        add_edge(d->m, d->at, ID_EMPTY, to);
        longest = d->words > longest ? d->words : longest;
    } while (!d->why && rest->n && rest->p[0] == '|');
    if (!d->why && (!rest->n || rest->p[0] != ')'))
        d->why = "a \"(\" without its \")\"";
    *rest = str_sub(*rest, 1, rest->n);
    d->at = to;
    d->words = longest;
}

/* Up to the end, or to the "|" or ")" of the group that it stands in. */
static void take_sequence(struct draft *d, struct str *rest, unsigned depth)
{
    while (!d->why && rest->n && rest->p[0] != '|' && rest->p[0] != ')') {
        size_t n = 0;
        while (n < rest->n && !memchr(" (|)", rest->p[n], 4))
            n++;
        struct str piece = str_sub(*rest, 0, n);
        bool is_gap = str_eq_z(piece, "..") || str_eq_z(piece, "...");
        if (n == 0 && rest->p[0] == '(') {
            if (depth == NESTING_MAX)
                d->why = "too many brackets inside each other";
            else
                take_group(d, rest, depth);
            continue;
        }
        if (is_gap && depth > 0)
            d->why = "a gap inside brackets";
        else if (is_gap)
            end_segment(d, n == 2 ? GAP_NEAR : GAP_ANY);
        else if (n > 0)
            take_piece(d, piece);
        *rest = str_trim(str_sub(*rest, n, rest->n));
    }
}

const char *matcher_add(struct matcher *m, struct str text, enum pattern_use use, uint32_t target)
{
    struct draft d = {.m = m, .p = {.use = use, .target = target}, .id = (uint32_t)m->patterns_n};
    struct str rest = str_trim(text);
    begin_segment(&d, GAP_ANY);
    take_sequence(&d, &rest, 0);
    if (!d.why && rest.n)
        d.why = "a \")\" or a \"|\" outside brackets";
    if (!d.why)
        end_segment(&d, 0);
    if (d.why)
        return d.why;
    d.p.cells = m->cells_n;
    m->cells_n += d.p.segments_n;
    m->patterns = explain_grow(m->patterns, m->patterns_n, sizeof(*m->patterns));
    m->patterns[m->patterns_n++] = d.p;
    free(m->cells); /* made anew, of the right size, when next looked for */
    m->cells = NULL;
    return NULL;
}

#define AHEAD_END (UINT64_C(1) << 63)

static uint64_t ahead_bit(uint32_t word)
{
    return word == ID_NONE ? 0 : UINT64_C(1) << word % 63;
}

static int by_place(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->word != y->word)
        return x->word < y->word ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

/* There is no way round in a circle: groups end at nodes of their own. */
static uint64_t ahead_of(struct matcher *m, uint32_t node)
{
    struct node *is = &m->nodes[node];
    if (is->has_ahead)
        return is->ahead;
    for (uint32_t i = is->edges; i < is->edges + is->edges_n; i++)
        is->ahead |= m->edges[i].word == ID_EMPTY ? ahead_of(m, m->edges[i].to)
                                                  : ahead_bit(m->edges[i].word);
    is->has_ahead = true;
    return is->ahead;
}

/* The node that matters: from some, there is only one way on, and it has no word. */
static uint32_t beyond_empty(const struct matcher *m, uint32_t node)
{
    const struct node *is = &m->nodes[node];
    while (is->end == INDEX_NONE && is->edges_n == 1 && m->edges[is->edges].word == ID_EMPTY) {
        node = m->edges[is->edges].to;
        is = &m->nodes[node];
    }
    return node;
}

/* Order what was added, for finding. */
static void prepare(struct matcher *m)
{
    free(m->first_edge);
    qsort(m->edges, m->edges_n, sizeof(*m->edges), by_place);
    for (size_t i = 0; i < m->nodes_n; i++)
        m->nodes[i] = (struct node){.end = m->nodes[i].end,
                                    .ahead = m->nodes[i].end == INDEX_NONE ? 0 : AHEAD_END};
    for (uint32_t i = 0; i < m->edges_n; i++) {
        struct node *from = &m->nodes[m->edges[i].from];
        if (from->edges_n++ == 0)
            from->edges = i;
    }
    m->first_edge = xcalloc(m->entries_n, sizeof(*m->first_edge));
    for (uint32_t i = m->nodes[0].edges_n; i > 0; i--) /* the first edges are those of node 0 */
        m->first_edge[m->edges[i - 1].word] = i - 1;
    for (size_t i = 0; i < m->edges_n; i++)
        m->edges[i].to = beyond_empty(m, m->edges[i].to);
    for (uint32_t i = 0; i < m->nodes_n; i++)
        ahead_of(m, i);
    for (size_t i = 0; i < m->edges_n; i++)
        m->edges[i].ahead = m->nodes[m->edges[i].to].ahead;
    m->cells = xcalloc(m->cells_n ? m->cells_n : 1, sizeof(*m->cells));
    m->run = 0;
}

/* --- finding --- */

struct seen_word {
    uint32_t id;
    bool is_number;
    size_t from, to;
    uint64_t ahead; /* its bits, and that of an end */
};

struct search {
    struct matcher *m;
    const struct seen_word *words;
    size_t n;
    void (*found)(void *arg, const struct pattern *p, unsigned words, size_t end);
    void *arg;
};

/* A cell: in which run, the word behind the end, how many words were found. */
static uint64_t cell_of(uint64_t run, size_t end, size_t words)
{
    return run << 32 | (uint64_t)end << 16 | words;
}

/* The words from..to-1 are that segment. */
static void step(struct search *s, const struct segment_end *e, size_t from, size_t to)
{
    struct matcher *m = s->m;
    const struct pattern *p = &m->patterns[e->pattern];
    uint64_t *cell = &m->cells[p->cells + e->index];
    size_t words = to - from;
    if (e->index > 0) {
        uint64_t before = cell[-1];
        size_t end = before >> 16 & 0xffff;
        if (before >> 32 != m->run || end > from || from - end > p->gaps[e->index])
            return;
        words += before & 0xffff;
    }
    uint64_t now = cell_of(m->run, to, words);
    if (now > *cell) /* so that the order of the edges means nothing */
        *cell = now;
    if (e->index + 1 == p->segments_n)
        s->found(s->arg, p, (unsigned)words, s->words[to - 1].to);
}

static void walk(struct search *s, uint32_t node, size_t from, size_t at);

/* From e on, the edges of this word that have a chance with the word at at. */
static void follow(struct search *s, const struct edge *e, const struct edge *end, uint32_t word,
                   size_t from, size_t at)
{
    uint64_t wanted = at < s->n ? s->words[at].ahead : AHEAD_END;
    for (; e < end && e->word == word; e++)
        if (e->ahead & wanted)
            walk(s, e->to, from, at);
}

static void follow_word(struct search *s, const struct node *is, uint32_t word, size_t from,
                        size_t at)
{
    const struct edge *e = s->m->edges + is->edges, *end = e + is->edges_n;
    if (word == ID_NONE || !(is->ahead & ahead_bit(word)))
        return;
    for (size_t n = is->edges_n; n > 8; n -= n / 2) /* e stays before the first of them, or on it */
        if (e[n / 2].word < word)
            e += n / 2;
    while (e < end && e->word < word)
        e++;
    follow(s, e, end, word, from, at + 1);
}

static void walk(struct search *s, uint32_t node, size_t from, size_t at)
{
    const struct node *is = &s->m->nodes[node];
    const struct edge *end = s->m->edges + is->edges + is->edges_n;
    s->m->steps++;
    if (is->end != INDEX_NONE)
        step(s, &s->m->ends[is->end], from, at);
    for (size_t i = is->edges_n; i > 0 && end[-1].word == ID_EMPTY; i--, end--)
        walk(s, end[-1].to, from, at);
    if (is->edges_n == 0 || at == s->n || at - from == SEGMENT_WORDS_MAX)
        return;
    follow_word(s, is, s->words[at].id, from, at);
    if (s->words[at].is_number)
        follow_word(s, is, WORD_NUMBER, from, at);
}

/* The same for node 0, which has very many edges. */
static void begin(struct search *s, uint32_t word, size_t at)
{
    const struct matcher *m = s->m;
    if (word != ID_NONE)
        follow(s, m->edges + m->first_edge[word], m->edges + m->nodes[0].edges_n, word, at, at + 1);
}

static struct seen_word see_word(const struct matcher *m, const struct word *w)
{
    bool is_number = w->kind == WORD_NUMBER;
    uint32_t id = word_id(m, w);
    uint64_t ahead = ahead_bit(id) | (is_number ? ahead_bit(WORD_NUMBER) : 0) | AHEAD_END;
    return (struct seen_word){id, is_number, w->from, w->to, ahead};
}

/* "550 5.7.1" or "550-5.7.1" before a further line of a reply: the number goes with the code. */
static bool is_line_begin(const struct seen_word *number, const struct word *code)
{
    return number->is_number && number->to - number->from == 3 && code->from == number->to + 1;
}

static size_t see_words(const struct matcher *m, struct str text, struct seen_word *out)
{
    struct word_reader r;
    struct word w;
    size_t n = 0;
    words_init(&r, text);
    while (n < WORDS_MAX && words_next(&r, &w)) {
        if (w.kind != WORD_CODE)
            out[n++] = see_word(m, &w);
        else if (n > 0 && is_line_begin(&out[n - 1], &w))
            n--;
    }
    return n;
}

void matcher_find(struct matcher *m, struct str text,
                  void (*found)(void *arg, const struct pattern *p, unsigned words, size_t end),
                  void *arg)
{
    struct seen_word words[WORDS_MAX];
    if (!m->cells)
        prepare(m);
    if (++m->run > UINT32_MAX) { /* half of a cell is the run's */
        memset(m->cells, 0, m->cells_n * sizeof(*m->cells));
        m->run = 1;
    }
    struct search s = {m, words, see_words(m, text, words), found, arg};
    for (size_t i = 0; i < s.n; i++) {
        begin(&s, words[i].id, i);
        if (words[i].is_number)
            begin(&s, WORD_NUMBER, i);
    }
}
