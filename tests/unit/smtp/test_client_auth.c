/* SPDX-License-Identifier: ISC */
/* Logging in, as a dialogue: each mechanism, and servers that are up to something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/smtp/sasl.h"
#include "tests/unit/smtp/fake_server.h"

/* RFC 7677 3 in base64, without and with a binding of three octets, and with the flag "y". */
#define NONCE   "rOprNGfwEbeRWgbNEkqO"
#define N_FIRST "biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8="
#define N_CHALLENGE                                                                                \
    "cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sRiRrMCxzPVcyMlphSjBTTlk3c29F" \
    "c1VFamI2Z1E9PSxpPTQwOTY="
#define N_FINAL                                                                                    \
    "Yz1iaXdzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0FmdXhGSWxqKWhObEYkazAscD1kSHpiWmFw" \
    "V0lrNGpVaE4rVXRlOXl0YWc5empmTUhnc3FtbWl6N0FuZFZRPQ=="
#define N_PROOF "dj02cnJpVFJCaTIzV3BSUi93dHVwK21NaFVaVW4vZEI1bkxUSlJzamw5NUc0PQ=="
#define P_FIRST "cD10bHMtZXhwb3J0ZXIsLG49dXNlcixyPXJPcHJOR2Z3RWJlUldnYk5Fa3FP"
#define P_CHALLENGE                                                                                \
    "cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sRiRrMCxzPVcyMlphSjBTTlk3c29F" \
    "c1VFamI2Z1E9PSxpPTQwOTY="
#define P_FINAL                                                                                    \
    "Yz1jRDEwYkhNdFpYaHdiM0owWlhJc0xBRUNBdz09LHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0Fm" \
    "dXhGSWxqKWhObEYkazAscD1EU096a0dlUlZqYUNueS9BWnQ1RHAxWEVWQjdaMTZxS0lMMU9GbkI4NUxFPQ=="
#define P_PROOF "dj1rM1l4WUpiVlpoYzZ1ZnpYVllKUEZ5OU90dVdieEJpZHJNVmtPN3ZvaEZVPQ=="
#define Y_FIRST "eSwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8="
#define Y_CHALLENGE                                                                                \
    "cj1yT3ByTkdmd0ViZVJXZ2JORWtxTyVodllEcFdVYTJSYVRDQWZ1eEZJbGopaE5sRiRrMCxzPVcyMlphSjBTTlk3c29F" \
    "c1VFamI2Z1E9PSxpPTQwOTY="
#define Y_FINAL                                                                                    \
    "Yz1lU3dzLHI9ck9wck5HZndFYmVSV2diTkVrcU8laHZZRHBXVWEyUmFUQ0FmdXhGSWxqKWhObEYkazAscD1Gb3FpSFR0" \
    "UUVERThsejFDZGFFZTN0SzRtUytpTURUbDc3U1B5RFM1M0RZPQ=="
#define Y_PROOF     "dj1kSTRLcGlRSndCcjErVitLNlUxZEE2bDZJNEk5RFVOWFdORDRwY3BSVTNVPQ=="
#define XOAUTH2     "dXNlcj11AWF1dGg9QmVhcmVyIHQwa2VuAQE="
#define OAUTHBEARER "bixhPXUsAWhvc3Q9bXgudGVzdAFwb3J0PTI1AWF1dGg9QmVhcmVyIHQwa2VuAQE="
#define JSON_401    "eyJzdGF0dXMiOiI0MDEifQ=="

#define OFFER(mechs)                                                                               \
    {"", "220 mx\r\n"},                                                                            \
    {                                                                                              \
        "EHLO me.test\r\n", "250-mx\r\n250 AUTH " mechs "\r\n"                                     \
    }
#define MAILED   {MAIL, OK}, {RCPT_B, OK}, {DATA, GO}, {HELLO, OK}, BYE
#define ALL_WELL "TLS\nEND\n" SENT CLOSED
#define GIVES_UP                                                                                   \
    {"*\r\n", "501 5.7.0 cancelled\r\n"},                                                          \
    {                                                                                              \
        "QUIT\r\n", NULL                                                                           \
    }
#define NO_BELIEF "TLS\nCLOSED deferred auth 4.7.0 bad-challenge site\n"
#define AS_USER   .is_implicit_tls = true, .user = "user", .password = "pencil", .nonce = NONCE
#define BY_TOKEN  .is_implicit_tls = true, .user = "u", .password = "t0ken", .is_token = true

static const struct scenario logins[] = {
    {.name = "SCRAM goes before PLAIN, and the server's proof is answered by an empty line",
     AS_USER,
     .steps = STEPS(OFFER("PLAIN SCRAM-SHA-256"),
                    {"AUTH SCRAM-SHA-256 " N_FIRST "\r\n", "334 " N_CHALLENGE "\r\n"},
                    {N_FINAL "\r\n", "334 " N_PROOF "\r\n"}, {"\r\n", "235 2.7.0 in\r\n"}, MAILED),
     .want = ALL_WELL},
    {.name = "SCRAM is bound to the TLS session where the server takes that",
     AS_USER,
     .has_binding = true,
     .steps = STEPS(OFFER("SCRAM-SHA-256 SCRAM-SHA-256-PLUS"),
                    {"AUTH SCRAM-SHA-256-PLUS " P_FIRST "\r\n", "334 " P_CHALLENGE "\r\n"},
                    {P_FINAL "\r\n", "334 " P_PROOF "\r\n"}, {"\r\n", "235 in\r\n"}, MAILED),
     .want = ALL_WELL},
    {.name = "a server that does not offer the binding is told that we could",
     AS_USER,
     .has_binding = true,
     .steps = STEPS(OFFER("SCRAM-SHA-256"),
                    {"AUTH SCRAM-SHA-256 " Y_FIRST "\r\n", "334 " Y_CHALLENGE "\r\n"},
                    {Y_FINAL "\r\n", "334 " Y_PROOF "\r\n"}, {"\r\n", "235 in\r\n"}, MAILED),
     .want = ALL_WELL},
    {.name = "SCRAM in clear is no secret told",
     .user = "user",
     .password = "pencil",
     .nonce = NONCE,
     .steps = STEPS(OFFER("PLAIN SCRAM-SHA-256"),
                    {"AUTH SCRAM-SHA-256 " N_FIRST "\r\n", "334 " N_CHALLENGE "\r\n"},
                    {N_FINAL "\r\n", "334 " N_PROOF "\r\n"}, {"\r\n", "235 in\r\n"}, MAILED),
     .want = "END\n" SENT CLOSED},
    {.name = "a server that does not take the first word with the command asks for it",
     AS_USER,
     .steps = STEPS(OFFER("SCRAM-SHA-256"), {"AUTH SCRAM-SHA-256 " N_FIRST "\r\n", "334 \r\n"},
                    {N_FIRST "\r\n", "334 " N_CHALLENGE "\r\n"},
                    {N_FINAL "\r\n", "334 " N_PROOF "\r\n"}, {"\r\n", "235 in\r\n"}, MAILED),
     .want = ALL_WELL},
    {.name = "yes without a proof is not believed",
     AS_USER,
     .steps = STEPS(OFFER("SCRAM-SHA-256"),
                    {"AUTH SCRAM-SHA-256 " N_FIRST "\r\n", "334 " N_CHALLENGE "\r\n"},
                    {N_FINAL "\r\n", "235 in\r\n"}, {"QUIT\r\n", NULL}),
     .want = NO_BELIEF},
    {.name = "yes at once is not believed",
     AS_USER,
     .steps = STEPS(OFFER("SCRAM-SHA-256"), {"AUTH SCRAM-SHA-256 " N_FIRST "\r\n", "235 in\r\n"},
                    {"QUIT\r\n", NULL}),
     .want = NO_BELIEF},
    {.name = "a wrong proof is not believed",
     AS_USER,
     .steps = STEPS(OFFER("SCRAM-SHA-256"),
                    {"AUTH SCRAM-SHA-256 " N_FIRST "\r\n", "334 " N_CHALLENGE "\r\n"},
                    {N_FINAL "\r\n", "334 " P_PROOF "\r\n"}, GIVES_UP),
     .want = NO_BELIEF},
    {.name = "a proof twice is once too often",
     AS_USER,
     .steps = STEPS(
         OFFER("SCRAM-SHA-256"), {"AUTH SCRAM-SHA-256 " N_FIRST "\r\n", "334 " N_CHALLENGE "\r\n"},
         {N_FINAL "\r\n", "334 " N_PROOF "\r\n"}, {"\r\n", "334 " N_PROOF "\r\n"}, GIVES_UP),
     .want = NO_BELIEF},
    {.name = "a challenge that is no base64 is cancelled",
     AS_USER,
     .steps = STEPS(OFFER("SCRAM-SHA-256"), {"AUTH SCRAM-SHA-256 " N_FIRST "\r\n", "334 ???\r\n"},
                    GIVES_UP),
     .want = NO_BELIEF},
    {.name = "a wrong password in SCRAM is a refusal like any other",
     AS_USER,
     .steps = STEPS(OFFER("SCRAM-SHA-256"),
                    {"AUTH SCRAM-SHA-256 " N_FIRST "\r\n", "334 " N_CHALLENGE "\r\n"},
                    {N_FINAL "\r\n", "535 5.7.8 no\r\n"}, {"QUIT\r\n", NULL}),
     .want = "TLS\nCLOSED deferred auth 535 4.7.8 site\n"},
    {.name = "CRAM-MD5 of RFC 2195",
     .user = "tim",
     .password = "tanstaaftanstaaf",
     .steps = STEPS(
         OFFER("CRAM-MD5"),
         {"AUTH CRAM-MD5\r\n", "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n"},
         {"dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n", "235 in\r\n"}, MAILED),
     .want = "END\n" SENT CLOSED},
    {.name = "XOAUTH2",
     BY_TOKEN,
     .steps = STEPS(OFFER("PLAIN XOAUTH2"), {"AUTH XOAUTH2 " XOAUTH2 "\r\n", "235 in\r\n"}, MAILED),
     .want = ALL_WELL},
    {.name = "XOAUTH2 refused: the JSON is answered by an empty line",
     BY_TOKEN,
     .steps = STEPS(OFFER("XOAUTH2"), {"AUTH XOAUTH2 " XOAUTH2 "\r\n", "334 " JSON_401 "\r\n"},
                    {"\r\n", "535 5.7.8 no\r\n"}, {"QUIT\r\n", NULL}),
     .want = "TLS\nCLOSED deferred auth 535 4.7.8 site\n"},
    {.name = "OAUTHBEARER goes before XOAUTH2; its refusal is answered by one octet",
     BY_TOKEN,
     .steps = STEPS(OFFER("XOAUTH2 OAUTHBEARER"),
                    {"AUTH OAUTHBEARER " OAUTHBEARER "\r\n", "334 " JSON_401 "\r\n"},
                    {"AQ==\r\n", "535 5.7.8 no\r\n"}, {"QUIT\r\n", NULL}),
     .want = "TLS\nCLOSED deferred auth 535 4.7.8 site\n"},
    {.name = "no token in clear",
     .user = "u",
     .password = "t0ken",
     .is_token = true,
     .steps = STEPS(OFFER("XOAUTH2 OAUTHBEARER"), {"QUIT\r\n", NULL}),
     .want = "CLOSED deferred auth 4.7.0 no-mechanism site\n"},
    {.name = "LOGIN asks a third question",
     .is_implicit_tls = true,
     .user = "u",
     .password = "p",
     .steps = STEPS(OFFER("LOGIN"), {"AUTH LOGIN\r\n", "334 User Name\r\n"},
                    {"dQ==\r\n", "334 Password\r\n"}, {"cA==\r\n", "334 PIN\r\n"}, GIVES_UP),
     .want = NO_BELIEF},
    {.name = "the server goes away in the middle",
     AS_USER,
     .steps = STEPS(OFFER("SCRAM-SHA-256"), {"AUTH SCRAM-SHA-256 " N_FIRST "\r\n", "421 bye\r\n"}),
     .want = "TLS\nCLOSED deferred auth 421 4.7.0 site\n"},
};

static void logins_go_as_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(logins); i++)
        play_every_way(&logins[i]);
}

static void note(void *arg, char direction, struct str line)
{
    (void)direction;
    buf_add_str(arg, line);
    buf_add_c(arg, '\n');
}

/* Whatever the dialogue: neither the secrets nor anything that they can be computed from. */
static void no_trace_has_a_word_of_a_login(void **state)
{
    static const char *const words[] = {
        "pencil", "t0ken",     N_FIRST,  N_CHALLENGE,
        N_FINAL,  N_PROOF,     P_FINAL,  Y_FINAL,
        XOAUTH2,  OAUTHBEARER, JSON_401, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw",
        "dQ==",   "cA=="};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(logins); i++) {
        struct buf trace = BUF_INIT;
        struct play p;
        play_init(&p, &logins[i]);
        smtp_client_set_trace(p.c, note, &trace);
        play_run(&p);
        for (size_t k = 0; k < ARRAY_LEN(words); k++)
            assert_int_equal(str_ifind(buf_str(&trace), str_of(words[k])), SIZE_MAX);
        play_done(&p);
        buf_done(&trace);
    }
}

/* One login by hand, to see the sentence at its end. */
static void assert_sentence(const struct scenario *sc, const char *want)
{
    struct play p;

    play_init(&p, sc);
    play_run(&p);
    assert_true(p.is_closed);
    assert_non_null(strstr(p.last_text, want));
    play_done(&p);
}

static void the_reason_within_the_exchange_is_kept(void **state)
{
    struct scenario sc = {BY_TOKEN,
                          .steps = STEPS(OFFER("XOAUTH2"),
                                         {"AUTH XOAUTH2 " XOAUTH2 "\r\n", "334 " JSON_401 "\r\n"},
                                         {"\r\n", "535 5.7.8 no\r\n"}, {"QUIT\r\n", NULL})};
    struct scenario rogue = {AS_USER,
                             .steps = STEPS(OFFER("SCRAM-SHA-256"),
                                            {"AUTH SCRAM-SHA-256 " N_FIRST "\r\n", "235 in\r\n"},
                                            {"QUIT\r\n", NULL})};

    (void)state;
    assert_sentence(&sc, "no (it said: {\"status\":\"401\"})");
    assert_sentence(&rogue, "SASL authentication failed; server mx.test[192.0.2.1] did not prove "
                            "that it knows the password");
}

/* RFC 5321 4.5.3.1.4 and RFC 4954 4: what is too long for a command goes on its own line, what is too
 * long for that does not go. */
static void long_tokens_keep_to_the_limits(void **state)
{
    static const struct {
        const char *name;
        size_t token;
        bool is_sent;
    } rows[] = {{"as long as Microsoft's", 2500, true}, {"too long", 9300, false}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char token[10000];
        struct play p;
        struct scenario sc = {.is_implicit_tls = true,
                              .user = "u",
                              .password = token,
                              .is_token = true,
                              .steps = STEPS(OFFER("XOAUTH2"), {"AUTH XOAUTH2\r\n", "334 \r\n"})};
        memset(token, 'x', rows[i].token);
        token[rows[i].token] = '\0';
        play_init(&p, &sc);
        play_run(&p);
        struct str word = str_sub(buf_str(&p.sent), p.taken, p.sent.n);
        if (rows[i].is_sent)
            assert_true(word.n > rows[i].token && word.n <= SASL_LINE_MAX);
        else
            assert_true(str_eq_z(word, "*\r\n"));
        play_done(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logins_go_as_the_table_says),
        cmocka_unit_test(no_trace_has_a_word_of_a_login),
        cmocka_unit_test(the_reason_within_the_exchange_is_kept),
        cmocka_unit_test(long_tokens_keep_to_the_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
