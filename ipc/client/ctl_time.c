#include "ipc/client/ctl_time.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"

/* Units by falling size, and the smaller one that is shown beside each. */
static const struct {
    const char *name;
    usec_t size;
    const char *rest_name;
    usec_t rest_size;
} ctl_time_units[] = {
    {"d", 86400 * USEC_PER_SEC, "h", 3600 * USEC_PER_SEC},
    {"h", 3600 * USEC_PER_SEC, "min", 60 * USEC_PER_SEC},
    {"min", 60 * USEC_PER_SEC, NULL, 0},
    {"s", USEC_PER_SEC, NULL, 0},
};

/* The largest unit that `span` has one of, else the last. */
static size_t ctl_time_unit(usec_t span)
{
    size_t i = 0;

    while (i + 1 < N_ELEMENTS(ctl_time_units) && span < ctl_time_units[i].size)
        i++;
    return i;
}

void ctl_time_format_span(usec_t span, char ret_text[static CTL_TIME_SIZE])
{
    size_t i = ctl_time_unit(span);
    usec_t rest = 0;

    if (ctl_time_units[i].rest_name)
        rest = span % ctl_time_units[i].size / ctl_time_units[i].rest_size;
    if (rest > 0)
        (void)snprintf(ret_text, CTL_TIME_SIZE, "%" PRIu64 " %s %" PRIu64 " %s",
                       span / ctl_time_units[i].size, ctl_time_units[i].name, rest,
                       ctl_time_units[i].rest_name);
    else
        (void)snprintf(ret_text, CTL_TIME_SIZE, "%" PRIu64 " %s", span / ctl_time_units[i].size,
                       ctl_time_units[i].name);
}

/* The longest span, of 2^64 microseconds, has 14 bytes. */
void ctl_time_format_ago(usec_t moment, usec_t now, char ret_text[static CTL_TIME_SIZE])
{
    usec_t span = now > moment ? now - moment : 0;
    char words[CTL_TIME_SIZE];

    ctl_time_format_span(span, words);
    if (span < USEC_PER_SEC)
        (void)snprintf(ret_text, CTL_TIME_SIZE, "just now");
    else
        (void)snprintf(ret_text, CTL_TIME_SIZE, "%.24s ago", words);
}

void ctl_time_format_due(usec_t moment, usec_t now, char ret_text[static CTL_TIME_SIZE])
{
    usec_t span = moment > now ? moment - now : 0;
    char words[CTL_TIME_SIZE];

    ctl_time_format_span(span, words);
    if (span < USEC_PER_SEC)
        (void)snprintf(ret_text, CTL_TIME_SIZE, "now");
    else
        (void)snprintf(ret_text, CTL_TIME_SIZE, "in %.24s", words);
}

void ctl_time_format_moment(usec_t moment, usec_t now, char ret_text[static CTL_TIME_SIZE])
{
    time_t seconds = (time_t)(moment / USEC_PER_SEC), today = (time_t)(now / USEC_PER_SEC);
    struct tm local, reference;
    bool is_today;

    if (!localtime_r(&seconds, &local) || !localtime_r(&today, &reference)) {
        (void)snprintf(ret_text, CTL_TIME_SIZE, "@%" PRIu64, moment / USEC_PER_SEC);
        return;
    }
    is_today = local.tm_year == reference.tm_year && local.tm_yday == reference.tm_yday;
    if (strftime(ret_text, CTL_TIME_SIZE, is_today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &local) == 0)
        ret_text[0] = '\0';
}

void ctl_time_format_age(usec_t moment, usec_t now, char ret_text[static CTL_TIME_SIZE])
{
    usec_t span = now > moment ? now - moment : 0;
    size_t i = ctl_time_unit(span);

    (void)snprintf(ret_text, CTL_TIME_SIZE, "%" PRIu64 "%s", span / ctl_time_units[i].size,
                   ctl_time_units[i].name);
}
