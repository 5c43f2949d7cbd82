/* SPDX-License-Identifier: ISC */
/* The two halves of an outbound: reaching a host (outbound.c), and talking to it (outbound_talk.c). */
#ifndef ENGINE_OUTBOUND_PRIVATE_H
#define ENGINE_OUTBOUND_PRIVATE_H

#include "core/engine/outbound.h"

struct engine *outbound_engine(const struct outbound *o);
/* The connection is up: greet. */
void outbound_talk(struct outbound *o);
/* The host failed with mail unsettled: remember why, try the next address or host. */
void outbound_next_target(struct outbound *o, const struct outcome *why);
/* TLS failed: the same address once more, a step down the ladder, or at its foot when no hello would
 * help (the server does not even answer STARTTLS). False when there is no step left. */
bool outbound_step_down(struct outbound *o, bool to_foot);
/* Connection, client and look-ups go; the deliveries stay. */
void outbound_hang_up(struct outbound *o, bool flush);
/* Out of the schedule, memory freed: no delivery may be aboard. */
void outbound_gone(struct outbound *o);
void outbound_timer(struct outbound *o, int64_t delay_ms);
/* Of the host in use. */
uint16_t outbound_port(const struct outbound *o);
/* Host, address and port of the target in use, for an outcome. */
void outbound_note_host(const struct outbound *o, struct outcome *why);
/* Send QUIT and what belongs to it. */
void outbound_quit(struct outbound *o);
/* End the deliveries aboard: unconfirmed where the end of data went out, else with this outcome. */
void outbound_abort_talk(struct outbound *o, const struct outcome *local);
/* The piece of content under way is not wanted any more. */
void outbound_reading_lost(struct outbound *o);
void outbound_timer_fired_talking(struct outbound *o);
extern const struct conn_handlers outbound_handlers;

/* outbound_trace.c: the transcripts (mail/transcript.h) of what is aboard. */
/* A try begins: begin_mono_ms was set. */
void trace_begin(struct delivery *d);
void trace_note(struct outbound *o, const char *word, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Of the host in use. */
void trace_answer(struct outbound *o, unsigned type, const struct dns_answer *a);
void trace_tls(struct outbound *o, const struct tls_facts *f);
/* For smtp_client_set_trace; arg is the outbound. */
void trace_wire(void *arg, char direction, struct str line);
/* The connection may carry mail. */
void trace_ready(struct outbound *o);
/* The try is over: make delivery.told, when it is worth keeping. */
void trace_tell(struct outbound *o, struct delivery *d, const struct outcome *outcome);

#endif
