#pragma once

/*
 * Log: to the journal with native fields when systemd runs us, else readable lines on stderr.
 *
 * A message says what happened and what happens next, in one line; what it is about goes into fields, so
 * that `journalctl ELEMENTD_INSTANCE=x` tells one instance's life. Secrets have a type of their own
 * (base/secret.h) that no conversion of a format accepts.
 *
 * Source: sd_journal_sendv(3), systemd.journal-fields(7); JOURNAL_STREAM in systemd.exec(5)
 */

#include <stdbool.h>
#include <sys/types.h>
#include <syslog.h>

#include "base/clock.h"

/* What a message is about; all may be NULL, and all is borrowed. */
typedef struct LogFields {
    const char *message_id; /* MESSAGE_ID=, one of systemd/messages.h */
    const char *instance;   /* ELEMENTD_INSTANCE= */
    const char *element;    /* ELEMENTD_ELEMENT= */
    const char *account;    /* ELEMENTD_ACCOUNT= */
    const char *request_id; /* ELEMENTD_REQUEST_ID=, the platform's */
    const char *unit;       /* ELEMENTD_UNIT=, of a peer */
    const char *credential; /* ELEMENTD_CREDENTIAL= */
    const char *result;     /* ELEMENTD_RESULT= */
} LogFields;

/* Looks whether stderr is the journal's. Before it is called, messages go to stderr as readable lines. */
void log_open(void);

/* Messages above `level` (LOG_DEBUG is the highest) are dropped; LOG_INFO until it is called. */
void log_set_level(int level);

/* Whether messages of `level` are kept: to leave out work that only a message needs. */
bool log_is_on(int level);

void log_write(int level, const char *file, int line, const char *function, const LogFields *fields,
               const char *format, ...) __attribute__((format(printf, 6, 7)));

/* `fields` is a `const LogFields *` or NULL. */
#define log_full(level, fields, ...)                                                               \
    (log_is_on(level) ? log_write((level), __FILE__, __LINE__, __func__, (fields), __VA_ARGS__)    \
                      : (void)0)
/* `id` is one of systemd/messages.h. */
#define log_event(level, id, ...)                                                                  \
    log_full(level, &((const LogFields){.message_id = (id)}), __VA_ARGS__)
#define log_debug(...) log_full(LOG_DEBUG, NULL, __VA_ARGS__)

/*
 * Rate of messages that peers can cause: `burst` of them in `interval`, the rest is counted. A zeroed
 * struct with the two set is ready.
 */
typedef struct LogRate {
    usec_t interval;
    unsigned burst;
    usec_t begin;
    unsigned n_logged;
    unsigned n_suppressed;
} LogRate;

/*
 * Whether one more message may be logged at `now` (boot-time clock); else it is counted.
 * *ret_suppressed is how many were left out before this one, to be told with it.
 */
bool log_rate_allows(LogRate *rate, usec_t now, unsigned *ret_suppressed);
