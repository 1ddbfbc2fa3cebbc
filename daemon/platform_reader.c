#include "daemon/platform_reader.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "config/body.h"

/* Of a message as it is read: more than is shown, so that no secret is cut in two before it is hidden. */
#define PLATFORM_MESSAGE_BYTES_MAX (16 * PROBLEM_BYTES_MAX)

void platform_reader_trim(char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        uint32_t character;
        size_t n = utf8_decode(text, left, &character);

        if (n == 0) {
            *text = '?';
            n = 1;
        } else if (utf8_is_control(character)) {
            memset(text, ' ', n);
        }
        text += n;
        left -= n;
    }
}

/* How many bytes, at most `max`, can be kept of a string without cutting a character. */
static size_t platform_reader_fit(const JsonEvent *event, size_t max)
{
    size_t size = max;

    if (event->size <= max)
        return event->size;
    while (size > 0 && ((unsigned char)event->text[size] & 0xC0) == 0x80)
        size--;
    return size;
}

/* A string of an answer as a C string of at most `max` bytes, one line; NULL in *ret_text when it is none. */
static int platform_reader_take_text(const JsonEvent *event, size_t max, char **ret_text)
{
    char *text;

    if (event->type != JSON_STRING || event->size == 0)
        return 0;
    text = strndup(event->text, platform_reader_fit(event, max));
    if (!text)
        return -ENOMEM;
    platform_reader_trim(text);
    free(*ret_text);
    *ret_text = text;
    return 0;
}

static bool platform_reader_is_text(const JsonEvent *event, const char *text)
{
    size_t size = strlen(text);

    return event->size == size && memcmp(event->text, text, size) == 0;
}

/* ---- errors ---- */

void platform_error_deinit(PlatformError *error)
{
    free(error->message);
    free(error->provider_message);
    free(error->request_id);
    *error = (PlatformError){};
}

typedef struct ErrorReader {
    PlatformError error;
    int failure;
} ErrorReader;

/* The documented form: 24 hexadecimal digits. */
static bool platform_reader_is_request_id(const JsonEvent *event)
{
    if (event->type != JSON_STRING || event->size != 24)
        return false;
    for (size_t i = 0; i < event->size; i++)
        if (!strchr("0123456789abcdefABCDEF", event->text[i]))
            return false;
    return true;
}

/* As it came: what is hidden in a message must be found before its line ends are taken out. */
static int platform_error_take_message(const JsonEvent *event, char **message)
{
    if (event->type != JSON_STRING || event->size == 0 || *message ||
        memchr(event->text, '\0', event->size))
        return 0;
    *message = strndup(event->text, platform_reader_fit(event, PLATFORM_MESSAGE_BYTES_MAX));
    return *message ? 0 : -ENOMEM;
}

static int platform_error_on_event(void *userdata, const JsonEvent *event)
{
    ErrorReader *reader = userdata;
    int r = 0;

    if (!event->path || event->kind != JSON_EVENT_VALUE)
        return 0;
    if (strcmp(event->path, "/message") == 0)
        r = platform_error_take_message(event, &reader->error.message);
    else if (strcmp(event->path, "/providerMessage") == 0)
        r = platform_error_take_message(event, &reader->error.provider_message);
    else if (strcmp(event->path, "/requestId") == 0 && platform_reader_is_request_id(event))
        r = platform_reader_take_text(event, 24, &reader->error.request_id);
    reader->failure = r;
    return r;
}

int platform_reader_read_error(const Buffer *body, PlatformError *ret_error)
{
    ErrorReader reader = {};
    int r;

    r = json_read(buffer_data(body), buffer_size(body), 0, platform_error_on_event, &reader, NULL);
    if (r < 0 || reader.failure < 0) {
        platform_error_deinit(&reader.error);
        return -ENOMEM;
    }
    *ret_error = reader.error;
    return 0;
}

/* ---- instances ---- */

typedef struct InstanceReader {
    const char *owner;
    PlatformInstance current;
    bool has_current;
    bool is_array; /* the document itself */
    PlatformInstance *instances;
    size_t n;
    int failure;
} InstanceReader;

/* A token goes into a header line, and to programs that put it into one. */
static bool platform_reader_is_token(const JsonEvent *event)
{
    if (event->type != JSON_STRING || event->size == 0 || event->size > TOKEN_BYTES_MAX)
        return false;
    for (size_t i = 0; i < event->size; i++)
        if (event->text[i] <= ' ' || event->text[i] >= 0x7F || event->text[i] == ',')
            return false;
    return true;
}

static int platform_reader_take_tag(InstanceReader *reader, const JsonEvent *event)
{
    size_t prefix_size;
    char prefix[2 * NAME_BYTES_MAX + 32];

    if (event->type != JSON_STRING)
        return 0;
    reader->current.has_tags = true;
    if (!reader->owner || memchr(event->text, '\0', event->size))
        return 0;
    (void)snprintf(prefix, sizeof(prefix), "elementd.%s", reader->owner);
    if (platform_reader_is_text(event, prefix)) {
        reader->current.is_owned = true;
        return 0;
    }
    prefix_size = strlen(prefix);
    if (event->size <= prefix_size + 1 || memcmp(event->text, prefix, prefix_size) != 0 ||
        event->text[prefix_size] != '.')
        return 0;
    free(reader->current.name);
    reader->current.name = strndup(event->text + prefix_size + 1, event->size - prefix_size - 1);
    return reader->current.name ? 0 : -ENOMEM;
}

static int platform_reader_take_id(InstanceReader *reader, const JsonEvent *event)
{
    int64_t id;

    if (event->type == JSON_NUMBER && json_parse_int64(event->text, event->size, &id) == 0 &&
        id > 0)
        reader->current.id = id;
    return 0;
}

static int platform_reader_take_token(InstanceReader *reader, const JsonEvent *event)
{
    if (!platform_reader_is_token(event))
        return 0;
    secret_unref(reader->current.token);
    reader->current.token = NULL;
    return secret_new(event->text, event->size, &reader->current.token);
}

static int platform_reader_take_element(InstanceReader *reader, const JsonEvent *event)
{
    return platform_reader_take_text(event, PLATFORM_KEY_BYTES_MAX, &reader->current.element);
}

static int platform_reader_take_disabled(InstanceReader *reader, const JsonEvent *event)
{
    reader->current.is_disabled = event->type == JSON_BOOLEAN && event->boolean;
    reader->current.says_disabled = event->type == JSON_BOOLEAN;
    return 0;
}

typedef struct InstanceField {
    const char *path; /* below the instance */
    int (*take)(InstanceReader *reader, const JsonEvent *event);
} InstanceField;

static const InstanceField instance_fields[] = {
    {"/id", platform_reader_take_id},
    {"/token", platform_reader_take_token},
    {"/element/key", platform_reader_take_element},
    {"/tags/[]", platform_reader_take_tag},
    {"/tags/[]/name", platform_reader_take_tag}, /* as older answers have them */
    {"/disabled", platform_reader_take_disabled},
};

static int platform_reader_add_instance(InstanceReader *reader)
{
    PlatformInstance *instances;

    instances = reallocarray(reader->instances, reader->n + 1, sizeof(*instances));
    if (!instances)
        return -ENOMEM;
    reader->instances = instances;
    reader->instances[reader->n++] = reader->current;
    reader->current = (PlatformInstance){};
    reader->has_current = false;
    return 0;
}

static int platform_reader_take_instance(InstanceReader *reader, const JsonEvent *event)
{
    const char *path = event->path;

    if (!path)
        return 0;
    if (strncmp(path, "/[]", 3) == 0)
        path += 3;
    if (*path == '\0' && event->type == JSON_OBJECT) {
        reader->has_current = event->kind == JSON_EVENT_OPEN;
        return event->kind == JSON_EVENT_CLOSE ? platform_reader_add_instance(reader) : 0;
    }
    /* An empty list of tags says whose it is: nobody's. */
    if (event->kind == JSON_EVENT_OPEN && event->type == JSON_ARRAY && reader->has_current &&
        strcmp(path, "/tags") == 0)
        reader->current.has_tags = true;
    if (event->kind != JSON_EVENT_VALUE || !reader->has_current)
        return 0;
    for (size_t i = 0; i < N_ELEMENTS(instance_fields); i++)
        if (strcmp(path, instance_fields[i].path) == 0)
            return instance_fields[i].take(reader, event);
    return 0;
}

static int platform_instance_on_event(void *userdata, const JsonEvent *event)
{
    InstanceReader *reader = userdata;

    if (event->depth == 0 && event->kind == JSON_EVENT_OPEN)
        reader->is_array = event->type == JSON_ARRAY;
    reader->failure = platform_reader_take_instance(reader, event);
    return reader->failure;
}

int platform_reader_read_instances(const Buffer *body, const char *owner,
                                   PlatformInstances *ret_instances)
{
    InstanceReader reader = {.owner = owner};
    int r;

    r = json_read(buffer_data(body), buffer_size(body), 0, platform_instance_on_event, &reader,
                  NULL);
    /* A single instance that breaks off has said what it has said. */
    if (reader.has_current && reader.failure == 0 && !reader.is_array)
        reader.failure = platform_reader_add_instance(&reader);
    platform_instance_deinit(&reader.current);
    *ret_instances = (PlatformInstances){
        .items = reader.instances,
        .n_items = reader.n,
        .is_whole = r == 0,
        .is_array = reader.is_array,
    };
    return r < 0 || reader.failure < 0 ? -ENOMEM : 0;
}

/* ---- keys of the configuration ---- */

void platform_keys_deinit(PlatformKeys *keys)
{
    for (size_t i = 0; i < keys->n_items; i++) {
        free(keys->items[i].name);
        free(keys->items[i].default_value);
    }
    free(keys->items);
    *keys = (PlatformKeys){};
}

typedef struct KeysReader {
    PlatformKey current;
    bool has_default;
    PlatformKeys keys;
    bool has_list;
    bool has_more; /* than are kept */
    int failure;
} KeysReader;

static void platform_reader_drop_key(KeysReader *reader)
{
    free(reader->current.name);
    free(reader->current.default_value);
    reader->current = (PlatformKey){};
    reader->has_default = false;
}

static bool platform_reader_has_key(const PlatformKeys *keys, const char *name)
{
    for (size_t i = 0; i < keys->n_items; i++)
        if (strcmp(keys->items[i].name, name) == 0)
            return true;
    return false;
}

static int platform_reader_add_key(KeysReader *reader)
{
    PlatformKeys *keys = &reader->keys;
    PlatformKey *items, *key = &reader->current;
    bool has_name = key->name && *key->name;

    if (has_name && keys->n_items == PLATFORM_KEYS_MAX) {
        reader->has_more = true;
    } else if (has_name && !platform_reader_has_key(keys, key->name)) {
        items = reallocarray(keys->items, keys->n_items + 1, sizeof(*items));
        if (!items)
            return -ENOMEM;
        keys->items = items;
        key->is_required = key->is_required && !reader->has_default;
        key->is_secret = key->is_secret || body_key_looks_secret(key->name);
        if (key->is_secret) {
            free(key->default_value);
            key->default_value = NULL;
        }
        keys->items[keys->n_items++] = *key;
        *key = (PlatformKey){};
    }
    platform_reader_drop_key(reader);
    return 0;
}

/* One that is no line, or a long one, could only be shown as what it is not. */
static bool platform_reader_is_line(const char *text, size_t size)
{
    while (size > 0) {
        uint32_t character;
        size_t n = utf8_decode(text, size, &character);

        if (n == 0 || utf8_is_control(character))
            return false;
        text += n;
        size -= n;
    }
    return true;
}

static int platform_reader_take_default(KeysReader *reader, const JsonEvent *event)
{
    const char *text = event->text;
    size_t size = event->size;

    if (event->type == JSON_BOOLEAN) {
        text = event->boolean ? "true" : "false";
        size = strlen(text);
    }
    reader->has_default = event->type != JSON_NULL && size > 0;
    free(reader->current.default_value);
    reader->current.default_value = NULL;
    if (!reader->has_default || size > PLATFORM_DEFAULT_BYTES_MAX ||
        !platform_reader_is_line(text, size))
        return 0;
    reader->current.default_value = strndup(text, size);
    return reader->current.default_value ? 0 : -ENOMEM;
}

static int platform_reader_take_key_member(KeysReader *reader, const char *path,
                                           const JsonEvent *event)
{
    PlatformKey *key = &reader->current;

    if (strcmp(path, "/key") == 0)
        return platform_reader_take_text(event, PLATFORM_KEY_BYTES_MAX, &key->name);
    if (strcmp(path, "/defaultValue") == 0)
        return platform_reader_take_default(reader, event);
    if (strcmp(path, "/required") == 0 || strcmp(path, "/mandatory") == 0)
        key->is_required = key->is_required || event->boolean;
    else if (strcmp(path, "/type") == 0 && event->type == JSON_STRING)
        key->is_secret = platform_reader_is_text(event, "PASSWORD");
    return 0;
}

/* The answer is an array of entries, or an object with them under "configuration". */
static int platform_reader_take_key(KeysReader *reader, const JsonEvent *event)
{
    const char *path = event->path;

    if (!path)
        return 0;
    if (strncmp(path, "/configuration", 14) == 0)
        path += 14;
    if (*path == '\0' && event->kind == JSON_EVENT_OPEN && event->type == JSON_ARRAY)
        reader->has_list = true;
    if (strncmp(path, "/[]", 3) != 0)
        return 0;
    path += 3;
    if (*path == '\0')
        return event->kind == JSON_EVENT_CLOSE ? platform_reader_add_key(reader) : 0;
    return event->kind == JSON_EVENT_VALUE ? platform_reader_take_key_member(reader, path, event)
                                           : 0;
}

static int platform_keys_on_event(void *userdata, const JsonEvent *event)
{
    KeysReader *reader = userdata;

    reader->failure = platform_reader_take_key(reader, event);
    return reader->failure;
}

int platform_reader_read_keys(const Buffer *body, PlatformKeys *ret_keys)
{
    KeysReader reader = {};
    int r;

    r = json_read(buffer_data(body), buffer_size(body), 0, platform_keys_on_event, &reader, NULL);
    platform_reader_drop_key(&reader);
    if (r < 0 || reader.failure < 0) {
        platform_keys_deinit(&reader.keys);
        return -ENOMEM;
    }
    reader.keys.is_whole = r == 0 && reader.has_list && !reader.has_more;
    *ret_keys = reader.keys;
    return 0;
}

/* ---- missing configuration ---- */

typedef struct MissingReader {
    const PlatformKeys *keys;
    bool is_inside; /* of "configuration" */
    bool is_set[PLATFORM_KEYS_MAX];
} MissingReader;

static bool platform_missing_is_key(const JsonEvent *event, const char *key)
{
    return event->key && event->key_size == strlen(key) &&
           memcmp(event->key, key, event->key_size) == 0;
}

/* By the keys themselves, since a path escapes what is in them, and has none for the longest. */
static int platform_missing_on_event(void *userdata, const JsonEvent *event)
{
    MissingReader *reader = userdata;

    if (event->depth == 1)
        reader->is_inside = event->kind == JSON_EVENT_OPEN && event->type == JSON_OBJECT &&
                            platform_missing_is_key(event, "configuration");
    if (event->depth != 2 || !reader->is_inside)
        return 0;
    for (size_t i = 0; i < reader->keys->n_items; i++)
        if (platform_missing_is_key(event, reader->keys->items[i].name))
            reader->is_set[i] = true;
    return 0;
}

/* Adds one key to the list, or, when there is no room for it, that there are more. */
static int platform_missing_add(Buffer *missing, const char *key, bool *ret_is_full)
{
    static const char more[] = ", …";

    *ret_is_full = strlen(", ") + strlen(key) + strlen(more) > buffer_room(missing);
    if (*ret_is_full)
        return buffer_append_string(missing, more);
    return buffer_printf(missing, "%s%s", buffer_size(missing) > 0 ? ", " : "", key);
}

int platform_find_missing(const PlatformKeys *keys, const Secret *body, char **ret_missing)
{
    _cleanup_(buffer_deinit) Buffer missing = BUFFER_INIT(PROBLEM_BYTES_MAX);
    MissingReader reader = {.keys = keys};
    bool is_full = false;
    int r;

    assert(keys->n_items <= PLATFORM_KEYS_MAX);
    *ret_missing = NULL;
    r = json_read(secret_reveal(body), secret_size(body), 0, platform_missing_on_event, &reader,
                  NULL);
    assert(r <= 0); /* our own JSON */
    for (size_t i = 0; i < keys->n_items && r == 0 && !is_full; i++)
        if (keys->items[i].is_required && !reader.is_set[i])
            r = platform_missing_add(&missing, keys->items[i].name, &is_full);
    if (r != 0)
        return -ENOMEM;
    if (buffer_size(&missing) == 0)
        return 0;
    *ret_missing = strndup(buffer_data(&missing), buffer_size(&missing));
    return *ret_missing ? 0 : -ENOMEM;
}
