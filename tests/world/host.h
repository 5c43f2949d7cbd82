/* SPDX-License-Identifier: ISC */
/*
 * One session at a host of the scripted internet, as a machine: bytes and time in, bytes, a
 * deadline and a wish out. Without rules it behaves as a careful Postfix does (RFC 5321, 1870,
 * 2920, 3030, 3207, 4954, 6152, 6531, 3461), and notes every violation that it sees.
 */
#ifndef WORLD_HOST_H
#define WORLD_HOST_H

#include "tests/world/world.h"

struct host_session;

/* w and h are borrowed for its life. Returns new. The greeting may be due at once, see deadline. */
struct host_session *host_open(struct world *w, struct world_host *h, const struct ip *client,
                               int64_t now_ms);
void host_free(struct host_session *s);

void host_input(struct host_session *s, struct str bytes, int64_t now_ms);
/* The peer closed or vanished. */
void host_lost(struct host_session *s, int64_t now_ms);
/* now >= deadline. */
void host_tick(struct host_session *s, int64_t now_ms);
/* After HOST_TLS: the handshake came to its end. */
void host_tls_done(struct host_session *s, bool is_up, int64_t now_ms);

struct str host_output(const struct host_session *s); /* borrowed until the next call */
void host_sent(struct host_session *s, size_t n);
int64_t host_deadline(const struct host_session *s); /* INT64_MAX = none */

/* What the driver has to do once the output is sent (RESET: at once). */
enum host_wish { HOST_GO_ON, HOST_TLS, HOST_CLOSE, HOST_RESET };
enum host_wish host_wish(const struct host_session *s);
/* Whether the handshake is to be made to fail. */
bool host_tls_fails(const struct host_session *s);
const struct world_host *host_of(const struct host_session *s);

#endif
