#include "ipc/varlink.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "ipc/quick.h"

/* ---- reading ---- */

/* A top-level key of a message, and where its value goes in the struct that is filled in. */
typedef struct VarlinkKey {
    const char *name;
    JsonType type; /* string: const char *, object: const JsonValue *, boolean: bool */
    size_t offset;
} VarlinkKey;

static const VarlinkKey varlink_call_keys[] = {
    {"method", JSON_STRING, offsetof(VarlinkCall, method)},
    {"parameters", JSON_OBJECT, offsetof(VarlinkCall, parameters)},
    {"more", JSON_BOOLEAN, offsetof(VarlinkCall, more)},
    {"oneway", JSON_BOOLEAN, offsetof(VarlinkCall, oneway)},
    {"upgrade", JSON_BOOLEAN, offsetof(VarlinkCall, upgrade)},
};

static const VarlinkKey varlink_reply_keys[] = {
    {"error", JSON_STRING, offsetof(VarlinkReply, error)},
    {"parameters", JSON_OBJECT, offsetof(VarlinkReply, parameters)},
    {"continues", JSON_BOOLEAN, offsetof(VarlinkReply, continues)},
};

/* Fills in one member of `target`; false when the value is not of the key's type. */
static bool varlink_set(const VarlinkKey *key, const JsonValue *value, void *target)
{
    void *place = (char *)target + key->offset;

    /* Clients write absent parameters as null, too. */
    if (key->type == JSON_OBJECT && value->type == JSON_NULL)
        return true;
    if (value->type != key->type)
        return false;
    switch (key->type) {
    case JSON_STRING:
        if (!json_value_is_text(value))
            return false;
        *(const char **)place = value->text;
        return true;
    case JSON_OBJECT:
        *(const JsonValue **)place = value;
        return true;
    case JSON_BOOLEAN:
        *(bool *)place = value->boolean;
        return true;
    case JSON_NULL:
    case JSON_NUMBER:
    case JSON_ARRAY:
        break;
    }
    return false;
}

static const VarlinkKey *varlink_find_key(const VarlinkKey *keys, size_t n, const JsonValue *member)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(keys[i].name) == member->key_size &&
            memcmp(keys[i].name, member->key, member->key_size) == 0)
            return &keys[i];
    return NULL;
}

/* Fills `target` in from the object `text`, which may hold `keys` and no others, each once. */
static int varlink_parse(Arena *arena, const char *text, size_t size, const VarlinkKey *keys,
                         size_t n, void *target)
{
    unsigned seen = 0;
    JsonValue *message;
    int r;

    r = json_value_parse(arena, text, size, 0, &message, NULL);
    if (r < 0)
        return r;
    if (r != 0 || message->type != JSON_OBJECT)
        return VARLINK_E_INVALID;
    JSON_VALUE_FOREACH(member, message) {
        const VarlinkKey *key = varlink_find_key(keys, n, member);
        unsigned bit = key ? 1U << (key - keys) : 0;

        if (!key || (seen & bit) != 0 || !varlink_set(key, member, target))
            return VARLINK_E_INVALID;
        seen |= bit;
    }
    return 0;
}

int varlink_parse_any_call(Arena *arena, const char *text, size_t size, VarlinkCall *ret_call)
{
    VarlinkCall call = {};
    int r;

    r = varlink_parse(arena, text, size, varlink_call_keys, N_ELEMENTS(varlink_call_keys), &call);
    if (r != 0)
        return r;
    if (!call.method || (call.more && call.oneway))
        return VARLINK_E_INVALID;
    *ret_call = call;
    return 0;
}

int varlink_parse_call(Arena *arena, const char *text, size_t size, VarlinkCall *ret_call)
{
    int r = quick_parse_call(arena, text, size, ret_call);

    return r == QUICK_E_OTHER ? varlink_parse_any_call(arena, text, size, ret_call) : r;
}

int varlink_parse_reply(Arena *arena, const char *text, size_t size, VarlinkReply *ret_reply)
{
    VarlinkReply reply = {};
    int r;

    r = varlink_parse(arena, text, size, varlink_reply_keys, N_ELEMENTS(varlink_reply_keys),
                      &reply);
    if (r != 0)
        return r;
    if (reply.error && reply.continues)
        return VARLINK_E_INVALID;
    *ret_reply = reply;
    return 0;
}

/* ---- writing ---- */

static void varlink_begin(VarlinkWriter *writer, Buffer *buffer)
{
    writer->begin = buffer_size(buffer);
    writer->continues = false;
    json_writer_begin(&writer->json, buffer);
    json_writer_open_object(&writer->json);
}

static void varlink_begin_parameters(VarlinkWriter *writer)
{
    json_writer_key(&writer->json, "parameters");
    json_writer_open_object(&writer->json);
}

void varlink_begin_call(VarlinkWriter *writer, Buffer *buffer, const char *method, bool more,
                        bool oneway)
{
    varlink_begin(writer, buffer);
    json_writer_key(&writer->json, "method");
    json_writer_string(&writer->json, method);
    if (more) {
        json_writer_key(&writer->json, "more");
        json_writer_boolean(&writer->json, true);
    }
    if (oneway) {
        json_writer_key(&writer->json, "oneway");
        json_writer_boolean(&writer->json, true);
    }
    varlink_begin_parameters(writer);
}

void varlink_begin_reply(VarlinkWriter *writer, Buffer *buffer, bool continues)
{
    varlink_begin(writer, buffer);
    writer->continues = continues;
    varlink_begin_parameters(writer);
}

void varlink_begin_error(VarlinkWriter *writer, Buffer *buffer, const char *error)
{
    varlink_begin(writer, buffer);
    json_writer_key(&writer->json, "error");
    json_writer_string(&writer->json, error);
    varlink_begin_parameters(writer);
}

/* The writer's outcome in this module's words. */
static int varlink_outcome(int r)
{
    switch (r) {
    case JSON_WRITER_E_FULL:
        return VARLINK_E_FULL;
    case JSON_WRITER_E_TEXT:
        return -EINVAL;
    }
    return r;
}

int varlink_end(VarlinkWriter *writer)
{
    Buffer *buffer = writer->json.buffer;
    int r;

    json_writer_close_object(&writer->json);
    if (writer->continues) {
        json_writer_key(&writer->json, "continues");
        json_writer_boolean(&writer->json, true);
    }
    json_writer_close_object(&writer->json);
    r = varlink_outcome(json_writer_end(&writer->json));
    if (r == 0) {
        r = buffer_append(buffer, "", 1);
        if (r == BUFFER_E_FULL)
            r = VARLINK_E_FULL;
    }
    if (r != 0)
        buffer_truncate(buffer, writer->begin);
    return r;
}
