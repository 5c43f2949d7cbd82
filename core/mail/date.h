/* SPDX-License-Identifier: ISC */
/* Dates of mail headers (RFC 5322 3.3), in UTC: "Tue, 24 Nov 2026 08:02:14 +0000". */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include "core/base/buf.h"

const char *date_rfc5322(int64_t wall_ms, char out[40]);
/* Syslog's "Nov 24 08:02:14" (UTC). */
const char *date_syslog(int64_t wall_ms, char out[24]);

#endif
