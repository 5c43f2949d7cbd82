/* SPDX-License-Identifier: ISC */
/* One SMTP session that comes in (intake.c), and the message it is giving us (intake_message.c). */
#ifndef ENGINE_INTAKE_PRIVATE_H
#define ENGINE_INTAKE_PRIVATE_H

#include "core/engine/from_policy.h"
#include "core/engine/intake.h"
#include "core/engine/sender_check.h"
#include "core/smtp/server.h"
#include "store/queue.h"

/* Sender domains that were looked up: an application sends from few. */
#define SENDERS_KNOWN 32u

struct sender_known {
    char domain[ADDR_DOMAIN_MAX + 1];
    int64_t until_mono_ms;
};

struct intake {
    struct engine *engine; /* borrowed */
    struct list sessions;
    unsigned sessions_n;
    struct io_listener *listeners[2 * CONF_ADDRS_MAX + 1];
    size_t listeners_n;
    struct smtp_server_limits limits;
    bool is_draining;
    struct sender_known senders[SENDERS_KNOWN];
    size_t senders_next; /* the one that is overwritten */
    char answer[ADDR_TEXT_MAX + 300]; /* to the command under way, when it is made up of parts */
};

/* A message on its way in. */
struct upload {
    struct message message;
    struct recipient *rcpts; /* own */
    size_t rcpts_n, rcpts_cap;
    struct buf head;   /* as it came, until the header is complete */
    bool has_header;   /* complete and repaired */
    struct buf chunk;  /* stored form, not yet given to the store */
    unsigned chunks;   /* given */
    unsigned flying;   /* chunk jobs in the store's hands */
    bool is_ended;     /* it may be stored, once all chunks are */
    struct mime *scan; /* own: of all that was stored; NULL before the header is repaired */
    bool is_smtputf8; /* it came so: raw UTF-8 in its header is meant */
    int refused_code;  /* 0 = fine so far; else what end of data is answered with */
    char refused_enhanced[12];
    char refused_text[200];
};

struct session {
    struct list link; /* in intake.sessions */
    struct intake *intake;
    struct io_conn *conn;
    struct smtp_server *server;
    struct io_timer *timer;
    int64_t timer_mono_ms; /* when it fires; 0 = not set */
    struct peer peer;
    char client[64]; /* its address, or "local" */
    char helo[256];  /* printable; of the transaction under way */
    struct submitter who;
    bool is_local;   /* the Unix socket */
    bool is_allowed; /* may name recipients */
    bool is_paused;
    struct upload *upload; /* own; NULL outside a transaction */
    struct sender_check *checking; /* own: the sender's domain is looked up, or NULL */
    struct accept_job *accepting; /* borrowed: commit under way, or NULL */
};

/* intake_message.c: the callbacks of the machine that concern a message. */
bool upload_mail(void *arg, const struct smtp_envelope *e, struct smtp_answer *a);
bool upload_rcpt(void *arg, const struct smtp_envelope *e, const struct smtp_server_rcpt *r,
                 struct smtp_answer *a);
bool upload_data(void *arg, const struct smtp_envelope *e, struct smtp_answer *a);
void upload_body(void *arg, struct str bytes);
void upload_end(void *arg, const struct smtp_envelope *e);
void upload_abort(void *arg);
/* intake.c: after the machine was given something outside a socket callback. */
void session_pump(struct session *s);
void session_timer(struct session *s, int64_t deadline_mono_ms);
/* The session is over while its commit is under way: nobody is told. */
void upload_forget(struct session *s);
/* The session whose message this is, or NULL: jobs name messages, not sessions, which may be gone. */
struct session *intake_find_upload(struct intake *in, int64_t message_id);
bool session_is_refusing(const struct session *s, struct smtp_answer *a);

#endif
