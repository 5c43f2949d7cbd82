/* SPDX-License-Identifier: ISC */
/* SASL mechanisms for the relay (RFC 4616, 4954): choice, and the client's words. Base64 is here. */
#ifndef SMTP_SASL_H
#define SMTP_SASL_H

#include "core/base/buf.h"
#include "core/mail/conf.h"

/* Choose among the offered ("PLAIN LOGIN CRAM-MD5", as in the EHLO line). PLAIN and LOGIN only under
 * TLS. AUTH_NONE when nothing fits: *why is then static, what the client's document says behind
 * "SASL authentication failed; server HOST[IP]". */
enum auth_mech sasl_choose(enum auth_mech wanted, struct str offered, bool is_tls, const char **why);
void sasl_plain(struct buf *out, const char *user, const char *password); /* base64 of RFC 4616 */
void base64_encode(struct buf *out, struct str s);
bool base64_decode(struct buf *out, struct str s);

#endif
