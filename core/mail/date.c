/* SPDX-License-Identifier: ISC */
/* Dates by hand: strftime would follow the locale, and mail headers are always English. */
#include "core/mail/date.h"

#include <time.h>

static const char *const day_names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const month_names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Years are four digits (RFC 5322 3.3): times outside 1970..9999 are clamped. */
static struct tm civil(int64_t wall_ms)
{
    const int64_t last_s = INT64_C(253402300799);
    int64_t s = wall_ms < 0 ? 0 : wall_ms / 1000;
    time_t t = (time_t)(s > last_s ? last_s : s);
    struct tm tm = {.tm_mday = 1, .tm_year = 70, .tm_wday = 4};
    gmtime_r(&t, &tm);
    return tm;
}

const char *date_rfc5322(int64_t wall_ms, char out[40])
{
    struct tm tm = civil(wall_ms);
    snprintf(out, 40, "%s, %d %s %04d %02d:%02d:%02d +0000", day_names[tm.tm_wday % 7], tm.tm_mday,
             month_names[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return out;
}

const char *date_syslog(int64_t wall_ms, char out[24])
{
    struct tm tm = civil(wall_ms);
    snprintf(out, 24, "%s %2d %02d:%02d:%02d", month_names[tm.tm_mon % 12], tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec);
    return out;
}
