#include "config/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "config/trust.h"
#include "systemd/credential.h"

/* One string on its way through. */
typedef struct ReferenceScan {
    Document *document;
    size_t at;
    bool is_secret;
    bool is_reference;
    bool is_broken;
    Buffer *expanded;
} ReferenceScan;

#define reference_error_of(scan, trouble, ...)                                                     \
    do {                                                                                           \
        document_error_of((scan)->document, (trouble), (scan)->at, __VA_ARGS__);                   \
        (scan)->is_broken = true;                                                                  \
    } while (false)

#define reference_error(scan, ...) reference_error_of((scan), TROUBLE_CONFIGURATION, __VA_ARGS__)

/* ---- kinds ---- */

/*
 * Reads what `name` names into `content`: 0, or REFERENCE_E_BROKEN with its problem added, or -ENOMEM.
 * A name is shown only when it could be one: what stands between the braces by mistake may be a secret.
 */
typedef int (*ReferenceRead)(ReferenceScan *scan, const char *name, Buffer *content);

typedef struct ReferenceKind {
    const char *prefix;
    ReferenceRead read;
} ReferenceKind;

static int reference_read_credential(ReferenceScan *scan, const char *name, Buffer *content)
{
    int r;

    if (!credential_name_is_valid(name)) {
        reference_error(scan,
                        "${credential:…}: the name of a credential is a file name without \"/\"");
        return REFERENCE_E_BROKEN;
    }
    r = credential_read(name, content);
    if (r == 0 || r == -ENOMEM)
        return r;
    if (r == CREDENTIAL_E_NONE && !getenv("CREDENTIALS_DIRECTORY"))
        reference_error_of(
            scan, TROUBLE_CREDENTIAL_UNREADABLE,
            "${credential:%s}: this process was given no credentials; the service manager "
            "passes them to a service that has LoadCredential=%s:PATH",
            name, name);
    else if (r == CREDENTIAL_E_NONE)
        reference_error_of(
            scan, TROUBLE_CREDENTIAL_UNREADABLE,
            "${credential:%s}: there is no such credential; add LoadCredential=%s:PATH to "
            "the service and restart it",
            name, name);
    else if (r == CREDENTIAL_E_TOO_BIG)
        reference_error_of(scan, TROUBLE_CREDENTIAL_UNREADABLE,
                           "${credential:%s}: larger than %d bytes", name, REFERENCE_BYTES_MAX);
    else
        reference_error_of(scan, TROUBLE_CREDENTIAL_UNREADABLE,
                           "${credential:%s}: cannot be read: %s", name, error_text(r));
    return REFERENCE_E_BROKEN;
}

static int reference_read_file(ReferenceScan *scan, const char *name, Buffer *content)
{
    struct stat st;
    int r;

    if (name[0] != '/' || strlen(name) >= PATH_MAX) {
        reference_error(scan, "${file:…}: the path must be absolute");
        return REFERENCE_E_BROKEN;
    }
    r = file_read(AT_FDCWD, name, content, &st);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        reference_error_of(scan, TROUBLE_FILE_UNREADABLE, "${file:%s}: cannot be read: %s", name,
                           error_text(r));
    else if (r == FILE_E_NOT_REGULAR)
        reference_error_of(scan, TROUBLE_FILE_UNREADABLE, "${file:%s}: not a regular file", name);
    else if (trust_refusal(&st))
        reference_error_of(scan, TROUBLE_FILE_UNREADABLE, "${file:%s}: not used, since %s", name,
                           trust_refusal(&st));
    else if (r == FILE_E_TOO_BIG)
        reference_error_of(scan, TROUBLE_FILE_UNREADABLE, "${file:%s}: larger than %d bytes", name,
                           REFERENCE_BYTES_MAX);
    else if (scan->is_secret && trust_is_world_readable(&st))
        document_warning(scan->document, scan->at,
                         "${file:%s}: everyone may read this secret: chmod 0640 the file", name);
    return r != 0 || trust_refusal(&st) ? REFERENCE_E_BROKEN : 0;
}

static int reference_refuse_environment(ReferenceScan *scan, const char *name, Buffer *content)
{
    (void)name;
    (void)content;
    reference_error(scan,
                    "${env:…}: environment variables leak to children and logs, so there are only "
                    "${credential:NAME} and ${file:/PATH}");
    return REFERENCE_E_BROKEN;
}

static const ReferenceKind reference_kinds[] = {
    {"credential:", reference_read_credential},
    {"file:", reference_read_file},
    {"env:", reference_refuse_environment},
};

/* ---- scanning ---- */

static int reference_append(ReferenceScan *scan, const char *text, size_t size)
{
    int r = buffer_append(scan->expanded, text, size);

    if (r == BUFFER_E_FULL) {
        reference_error(scan, "larger than %d bytes with its references replaced", BODY_BYTES_MAX);
        return REFERENCE_E_BROKEN;
    }
    return r;
}

static int reference_append_content(ReferenceScan *scan, const char *inside, Buffer *content)
{
    const char *data = buffer_data(content);
    size_t size = buffer_size(content);

    if (size > 0 && data[size - 1] == '\n')
        size--;
    if (size > 0 && (memchr(data, '\0', size) || !utf8_is_valid(data, size))) {
        reference_error(scan, "${%s}: what it holds is not text (UTF-8 without NUL)", inside);
        return REFERENCE_E_BROKEN;
    }
    if (size == 0) {
        reference_error(scan, "${%s}: is empty", inside);
        return REFERENCE_E_BROKEN;
    }
    return reference_append(scan, data, size);
}

/* `inside` is what stands between the braces. */
static int reference_replace(ReferenceScan *scan, const char *inside)
{
    Buffer content = BUFFER_INIT(REFERENCE_BYTES_MAX);
    int r = REFERENCE_E_BROKEN;

    for (size_t i = 0; i < N_ELEMENTS(reference_kinds); i++) {
        const ReferenceKind *kind = &reference_kinds[i];
        size_t n = strlen(kind->prefix);

        if (strncmp(inside, kind->prefix, n) != 0)
            continue;
        r = kind->read(scan, inside + n, &content);
        if (r == 0)
            r = reference_append_content(scan, inside, &content);
        buffer_deinit(&content);
        return r;
    }
    reference_error(scan,
                    "\"${\" begins a reference of no known kind: there are ${credential:NAME} and "
                    "${file:/PATH}; write \"$$\" for a dollar sign");
    return r;
}

/* Handles the "$" at `text`, before `end`; *ret_next is behind what it begins. */
static int reference_scan_dollar(ReferenceScan *scan, const char *text, const char *end,
                                 const char **ret_next)
{
    _cleanup_(freep) char *inside = NULL;
    const char *close;

    *ret_next = text + 1;
    if (text + 1 < end && text[1] == '$') {
        *ret_next = text + 2;
        return reference_append(scan, "$", 1);
    }
    if (text + 1 == end || text[1] != '{') {
        reference_error(scan, "\"$\" begins a reference: write \"$$\" for a dollar sign");
        return REFERENCE_E_BROKEN;
    }
    scan->is_reference = true;
    close = memchr(text + 2, '}', (size_t)(end - text - 2));
    if (!close) {
        *ret_next = end;
        reference_error(scan, "\"${\" without \"}\": write \"$$\" for a dollar sign");
        return REFERENCE_E_BROKEN;
    }
    *ret_next = close + 1;
    if (memchr(text + 2, '\0', (size_t)(close - text - 2))) {
        reference_error(scan, "NUL character in a reference");
        return REFERENCE_E_BROKEN;
    }
    inside = strndup(text + 2, (size_t)(close - text - 2));
    return inside ? reference_replace(scan, inside) : -ENOMEM;
}

int reference_expand(Document *document, size_t at, const char *text, size_t size, bool is_secret,
                     Buffer *expanded, bool *ret_is_reference)
{
    ReferenceScan scan = {
        .document = document,
        .at = at,
        .is_secret = is_secret,
        .expanded = expanded,
    };
    const char *end = text + size;

    while (text < end) {
        const char *dollar = memchr(text, '$', (size_t)(end - text));
        int r;

        r = reference_append(&scan, text, (size_t)((dollar ? dollar : end) - text));
        if (r == 0 && dollar)
            r = reference_scan_dollar(&scan, dollar, end, &text);
        else
            text = dollar ? dollar + 1 : end;
        if (r < 0)
            return r;
    }
    *ret_is_reference = scan.is_reference;
    return scan.is_broken ? REFERENCE_E_BROKEN : 0;
}
