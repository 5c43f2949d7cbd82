/* SPDX-License-Identifier: ISC */
/*
 * SCRAM-SHA-256 (RFC 5802, 7677). The password is not sent, and the server must prove that it knows
 * it, too: a 235 without that proof is not believed.
 *
 *   C: n,,n=user,r=NONCE                      gs2 header, client-first-message-bare
 *   S: r=NONCE+MORE,s=SALT,i=ROUNDS           server-first-message
 *   C: c=HEADER+BINDING,r=NONCE+MORE,p=PROOF
 *   S: v=SIGNATURE, or e=ERROR
 */
#include "core/base/text.h"
#include "core/smtp/sasl.h"

/* RFC 7677 4 asks for 4096 at least; over the other bound a server would hold up all other mail
 * (a million takes about half a second). */
#define ROUNDS_MIN 4096
#define ROUNDS_MAX 1000000
#define SALT_MAX   1024

/* RFC 5802 6: "p": bound to the TLS session; "y": we could, and believe that the server cannot, so
 * that somebody between us who hid the offer is found out; "n": we cannot, or were told not to. */
static void add_gs2(const struct sasl *s, struct buf *out)
{
    bool has_binding = s->binding && s->binding->type;

    if (s->mech == AUTH_SCRAM_SHA_256_PLUS)
        buf_printf(out, "p=%s,,", s->binding->type);
    else
        buf_add_z(out, has_binding && !s->is_plus_offered ? "y,," : "n,,");
}

void scram_first(struct sasl *s, struct buf *out)
{
    buf_clear(&s->first_bare);
    buf_add_z(&s->first_bare, "n=");
    sasl_add_name(&s->first_bare, s->user);
    buf_printf(&s->first_bare, ",r=%s", s->nonce);
    add_gs2(s, out);
    buf_add_str(out, buf_str(&s->first_bare));
}

struct server_first {
    struct str nonce;
    struct buf salt; /* own */
    uint64_t rounds;
};

/* The next attribute must be that one. */
static bool take(struct str *s, char name, struct str *value)
{
    if (s->n < 2 || s->p[0] != name || s->p[1] != '=')
        return false;
    *value = str_split(s, ',');
    *value = str_sub(*value, 2, value->n);
    return true;
}

/* Extensions may follow, and are ignored; one at the beginning ("m=") must be understood, and none
 * is. */
static const char *parse_first(const struct sasl *s, struct str text, struct server_first *f)
{
    struct str salt, rounds;

    if (!take(&text, 'r', &f->nonce) || !take(&text, 's', &salt) || !take(&text, 'i', &rounds))
        return "sent a SCRAM challenge that is none";
    if (f->nonce.n <= strlen(s->nonce) || !str_starts(f->nonce, str_of(s->nonce)))
        return "sent a SCRAM challenge that is not for us";
    if (salt.n > SALT_MAX || !base64_decode(&f->salt, salt) || f->salt.n == 0)
        return "sent a SCRAM challenge whose salt is not in base64";
    if (!text_parse_u64(rounds, UINT32_MAX, &f->rounds) || f->rounds < ROUNDS_MIN ||
        f->rounds > ROUNDS_MAX)
        return "wants a number of SCRAM iterations that is not sane";
    return NULL;
}

static void add_final_bare(const struct sasl *s, struct str nonce, struct buf *out)
{
    struct buf binding CLEANUP(buf_done) = BUF_INIT;

    add_gs2(s, &binding);
    if (s->mech == AUTH_SCRAM_SHA_256_PLUS)
        buf_add(&binding, s->binding->data, s->binding->n);
    buf_add_z(out, "c=");
    base64_encode(out, buf_str(&binding));
    buf_add_z(out, ",r=");
    buf_add_str(out, nonce);
}

static struct str octets(const unsigned char key[DIGEST_SHA256_N])
{
    return (struct str){(const char *)key, DIGEST_SHA256_N};
}

/* RFC 5802 3: ClientProof, and the ServerSignature that is to come. */
static bool prove(struct sasl *s, const struct server_first *f, struct str auth_message,
                  unsigned char proof[DIGEST_SHA256_N])
{
    unsigned char salted[DIGEST_SHA256_N], client[DIGEST_SHA256_N], stored[DIGEST_SHA256_N],
        server[DIGEST_SHA256_N];
    bool is_done =
        digest_pbkdf2_sha256(str_of(s->secret), buf_str(&f->salt), (unsigned)f->rounds, salted) &&
        digest_hmac_sha256(octets(salted), STR("Client Key"), client) &&
        digest_sha256(octets(client), stored) &&
        digest_hmac_sha256(octets(stored), auth_message, proof) &&
        digest_hmac_sha256(octets(salted), STR("Server Key"), server) &&
        digest_hmac_sha256(octets(server), auth_message, s->signature);

    for (size_t i = 0; i < DIGEST_SHA256_N; i++)
        proof[i] ^= client[i];
    explicit_bzero(salted, sizeof(salted));
    explicit_bzero(client, sizeof(client));
    explicit_bzero(stored, sizeof(stored));
    explicit_bzero(server, sizeof(server));
    return is_done;
}

bool scram_final(struct sasl *s, struct str server_first, struct buf *out, const char **why)
{
    struct buf message CLEANUP(buf_done) = BUF_INIT, bare CLEANUP(buf_done) = BUF_INIT;
    struct server_first f = {0};
    unsigned char proof[DIGEST_SHA256_N] = {0};
    bool is_done = false;

    *why = parse_first(s, server_first, &f);
    if (!*why) {
        add_final_bare(s, f.nonce, &bare);
        buf_add_str(&message, buf_str(&s->first_bare));
        buf_add_c(&message, ',');
        buf_add_str(&message, server_first);
        buf_add_c(&message, ',');
        buf_add_str(&message, buf_str(&bare));
        is_done = prove(s, &f, buf_str(&message), proof);
        *why = "wants SHA-256, which the rules of this machine forbid";
    }
    buf_done(&f.salt);
    if (!is_done)
        return false;
    buf_add_str(out, buf_str(&bare));
    buf_add_z(out, ",p=");
    base64_encode(out, octets(proof));
    return true;
}

bool scram_verify(struct sasl *s, struct str server_final, const char **why)
{
    struct buf signature CLEANUP(buf_done) = BUF_INIT;
    struct str value;

    if (take(&server_final, 'e', &value)) {
        text_printable_copy(value, s->told, sizeof(s->told));
        return true; /* the refusal follows */
    }
    *why = "did not prove that it knows the password";
    if (!take(&server_final, 'v', &value) || !base64_decode(&signature, value) ||
        signature.n != DIGEST_SHA256_N || !digest_eq(signature.p, s->signature, DIGEST_SHA256_N))
        return false;
    s->is_proven = true;
    return true;
}
