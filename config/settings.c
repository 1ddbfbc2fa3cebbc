#include "config/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/allow.h"
#include "config/schema.h"
#include "systemd/host.h"

#define SETTINGS_OWNER_MAX   64
#define SETTINGS_OWNER_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

void settings_deinit(Settings *settings)
{
    acl_deinit(&settings->allow);
    free(settings->owner);
    free(settings->problem);
    *settings = (Settings){};
}

static int settings_set_owner(const SchemaKey *key, Document *document, const JsonValue *value,
                              void *target)
{
    Settings *settings = target;

    if (value->size == 0 || value->size > SETTINGS_OWNER_MAX ||
        strspn(value->text, SETTINGS_OWNER_CHARS) != value->size) {
        document_error(document, value->at,
                       "\"%s\" must be 1 to %d letters, digits, \".\", \"_\" and \"-\"", key->name,
                       SETTINGS_OWNER_MAX);
        return 0;
    }
    settings->owner = strdup(value->text);
    return settings->owner ? 0 : -ENOMEM;
}

static const SchemaKey settings_keys[] = {
    {"allow", JSON_ARRAY, .set = allow_set, .offset = offsetof(Settings, allow)},
    {"owner", JSON_STRING, .set = settings_set_owner},
    {"parallel", JSON_NUMBER, .min = 1, .max = 256, .set = schema_set_unsigned,
     .offset = offsetof(Settings, parallel)},
    {"request-timeout-sec", JSON_NUMBER, .min = 1, .max = 3600, .set = schema_set_seconds,
     .offset = offsetof(Settings, request_timeout)},
    {"verify-interval-sec", JSON_NUMBER, .min = 10, .max = 30 * 24 * 3600,
     .set = schema_set_seconds, .offset = offsetof(Settings, verify_interval)},
    {"credential-wait-sec", JSON_NUMBER, .min = 0, .max = 3600, .set = schema_set_seconds,
     .offset = offsetof(Settings, credential_wait)},
};

static const Schema settings_schema = {
    .keys = settings_keys,
    .n_keys = N_ELEMENTS(settings_keys),
    .prefix = "",
};

static int settings_set_default_owner(Settings *settings, const char *file, Problems *problems)
{
    char id[HOST_ID_SIZE];

    if (host_get_id(id) < 0) {
        problems_add(
            problems, PROBLEM_ERROR, file, (JsonPosition){1, 1},
            "this host has no machine id by which the platform could know it: set \"owner\" to "
            "a name that no other host has");
        return 0;
    }
    settings->owner = strdup(id);
    return settings->owner ? 0 : -ENOMEM;
}

static int settings_read(Settings *settings, const DocumentSource *source, Problems *problems)
{
    Document document;
    int r;

    r = document_init(&document, source, problems);
    if (r == 0)
        r = schema_check(&settings_schema, &document, document.root, settings);
    /* An owner that is set, but not well, must not give way to another one. */
    if (r == 0 && !json_value_find(document.root, "owner"))
        r = settings_set_default_owner(settings, source->file, problems);
    document_deinit(&document);
    return r < 0 ? r : 0;
}

int settings_parse(const DocumentSource *source, const char *file, Problems *problems,
                   Settings *ret_settings)
{
    int r;

    *ret_settings = (Settings){
        .parallel = 16,
        .request_timeout = 120 * USEC_PER_SEC,
        .verify_interval = 3600 * USEC_PER_SEC,
        .credential_wait = 60 * USEC_PER_SEC,
    };
    if (source)
        r = settings_read(ret_settings, source, problems);
    else
        r = settings_set_default_owner(ret_settings, file, problems);
    if (r < 0)
        return r;
    return problems_close(problems, &ret_settings->problem, &ret_settings->trouble);
}
