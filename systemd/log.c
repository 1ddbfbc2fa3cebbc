#include "systemd/log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/cleanup.h"

/* A message is one line for a person; the longest holds a path, a position and a platform's words. */
#define LOG_MESSAGE_BYTES_MAX 2048

static bool log_is_journal = false;
static int log_level = LOG_INFO;

typedef struct LogFieldName {
    const char *name;
    size_t offset;
} LogFieldName;

static const LogFieldName log_field_names[] = {
    {"MESSAGE_ID", offsetof(LogFields, message_id)},
    {"ELEMENTD_INSTANCE", offsetof(LogFields, instance)},
    {"ELEMENTD_ELEMENT", offsetof(LogFields, element)},
    {"ELEMENTD_ACCOUNT", offsetof(LogFields, account)},
    {"ELEMENTD_REQUEST_ID", offsetof(LogFields, request_id)},
    {"ELEMENTD_UNIT", offsetof(LogFields, unit)},
    {"ELEMENTD_CREDENTIAL", offsetof(LogFields, credential)},
    {"ELEMENTD_RESULT", offsetof(LogFields, result)},
};

/* MESSAGE, PRIORITY, CODE_FILE, CODE_LINE, CODE_FUNC */
#define LOG_N_OWN_FIELDS 5

void log_open(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat st;

    /* systemd.exec(5): DEVICE:INODE of the stream, so that a redirected stderr is told from the journal's. */
    log_is_journal = stream && sscanf(stream, "%ju:%ju", &device, &inode) == 2 &&
                     fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_set_level(int level)
{
    log_level = level;
}

bool log_is_on(int level)
{
    return level <= log_level;
}

static const char *log_field(const LogFields *fields, size_t i)
{
    const char *value = NULL;

    if (fields)
        memcpy(&value, (const char *)fields + log_field_names[i].offset, sizeof(value));
    return value;
}

/* One line, whatever a file or the platform put into it: no control characters reach a terminal. */
static void log_sanitize(char *message)
{
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = ' ';
}

static void log_to_stderr(int level, const LogFields *fields, const char *message)
{
    static const char *const names[] = {
        [LOG_EMERG] = "emergency", [LOG_ALERT] = "alert",     [LOG_CRIT] = "critical",
        [LOG_ERR] = "error",       [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
        [LOG_INFO] = "info",       [LOG_DEBUG] = "debug",
    };
    const char *instance = fields ? fields->instance : NULL;

    struct pollfd reader = {.fd = STDERR_FILENO, .events = POLLOUT};

    /* Whoever reads this may have stopped: a line that would block is lost, the loop goes on. */
    if (poll(&reader, 1, 0) == 1 && (reader.revents & POLLOUT))
        (void)dprintf(STDERR_FILENO, "elementd: %s: %s%s%s\n", names[level],
                      instance ? instance : "", instance ? ": " : "", message);
}

static void log_to_journal(int level, const char *file, int line, const char *function,
                           const LogFields *fields, const char *message)
{
    struct iovec pieces[LOG_N_OWN_FIELDS + N_ELEMENTS(log_field_names)];
    char *texts[N_ELEMENTS(pieces)];
    size_t n = 0;

#define LOG_ADD(...)                                                                               \
    do {                                                                                           \
        int size_ = asprintf(&texts[n], __VA_ARGS__);                                              \
        if (size_ >= 0) {                                                                          \
            pieces[n] = (struct iovec){texts[n], (size_t)size_};                                   \
            n++;                                                                                   \
        }                                                                                          \
    } while (false)

    LOG_ADD("MESSAGE=%s", message);
    LOG_ADD("PRIORITY=%d", level);
    LOG_ADD("CODE_FILE=%s", file);
    LOG_ADD("CODE_LINE=%d", line);
    LOG_ADD("CODE_FUNC=%s", function);
    for (size_t i = 0; i < N_ELEMENTS(log_field_names); i++)
        if (log_field(fields, i))
            LOG_ADD("%s=%s", log_field_names[i].name, log_field(fields, i));
#undef LOG_ADD

    if (sd_journal_sendv(pieces, (int)n) < 0)
        log_to_stderr(level, fields, message);
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
}

void log_write(int level, const char *file, int line, const char *function, const LogFields *fields,
               const char *format, ...)
{
    char message[LOG_MESSAGE_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    log_sanitize(message);
    if (log_is_journal)
        log_to_journal(level, file, line, function, fields, message);
    else
        log_to_stderr(level, fields, message);
}

bool log_rate_allows(LogRate *rate, usec_t now, unsigned *ret_suppressed)
{
    *ret_suppressed = 0;
    if (now - rate->begin >= rate->interval) {
        *ret_suppressed = rate->n_suppressed;
        rate->begin = now;
        rate->n_logged = 0;
        rate->n_suppressed = 0;
    }
    if (rate->n_logged >= rate->burst) {
        rate->n_suppressed++;
        return false;
    }
    rate->n_logged++;
    return true;
}
