#include "ipc/client/ctl_call.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "ipc/client/ctl_failure.h"

/* The parameters as a string, in `buffer`. 0, or as elementd_call() has it for what cannot be sent. */
static int ctl_call_write(Buffer *buffer, const char *instance,
                          void (*write)(JsonWriter *json, const void *userdata),
                          const void *userdata)
{
    JsonWriter writer;
    int r;

    json_writer_begin(&writer, buffer);
    json_writer_open_object(&writer);
    if (instance) {
        json_writer_key(&writer, "instance");
        json_writer_string(&writer, instance);
    }
    if (write)
        write(&writer, userdata);
    json_writer_close_object(&writer);
    r = json_writer_end(&writer);
    if (r == JSON_WRITER_E_TEXT)
        return -EINVAL;
    if (r == 0)
        r = buffer_append(buffer, "", 1);
    return r > 0 ? -EMSGSIZE : r;
}

/* 0 or -errno; the library has seen to it that it is an object. */
static int ctl_call_parse(CtlReply *reply)
{
    size_t size = strlen(reply->text);

    reply->arena = ARENA_INIT(json_value_arena_max(size));
    return json_value_parse(&reply->arena, reply->text, size, 0, &reply->parameters, NULL);
}

CtlStatus ctl_call(const Ctl *ctl, const char *method, const char *instance, usec_t timeout,
                   CtlReply *ret_reply)
{
    return ctl_call_with(ctl, method, instance, NULL, NULL, timeout, ret_reply);
}

int ctl_call_try(const Ctl *ctl, const char *method, const char *instance,
                 void (*write)(JsonWriter *json, const void *userdata), const void *userdata,
                 usec_t timeout, elementd **ret_daemon, CtlReply *ret_reply)
{
    _cleanup_(buffer_deinit) Buffer parameters = BUFFER_INIT(REQUEST_BYTES_MAX);
    int r;

    *ret_daemon = NULL;
    *ret_reply = (CtlReply){};
    r = ctl_failure_open(ctl, ret_daemon);
    if (r == 0)
        r = ctl_call_write(&parameters, instance, write, userdata);
    if (r == 0)
        r = elementd_call(*ret_daemon, method, buffer_data(&parameters), timeout, &ret_reply->text);
    return r == 0 ? ctl_call_parse(ret_reply) : r;
}

CtlStatus ctl_call_with(const Ctl *ctl, const char *method, const char *instance,
                        void (*write)(JsonWriter *json, const void *userdata), const void *userdata,
                        usec_t timeout, CtlReply *ret_reply)
{
    _cleanup_(elementd_closep) elementd *daemon = NULL;
    int r = ctl_call_try(ctl, method, instance, write, userdata, timeout, &daemon, ret_reply);

    if (r == 0)
        return CTL_OK;
    return ctl_failure_report(ctl, daemon, r, daemon ? instance : NULL, NULL);
}

int ctl_call_on(elementd *daemon, const char *method, CtlReply *ret_reply)
{
    int r;

    *ret_reply = (CtlReply){};
    r = elementd_call(daemon, method, NULL, 0, &ret_reply->text);
    return r == 0 ? ctl_call_parse(ret_reply) : r;
}

void ctl_reply_deinit(CtlReply *reply)
{
    elementd_free_secret(reply->text);
    arena_deinit(&reply->arena);
    *reply = (CtlReply){};
}

const char *ctl_reply_text(const JsonValue *object, const char *key)
{
    const JsonValue *value = json_value_find(object, key);

    return value && json_value_is_text(value) ? value->text : NULL;
}

int64_t ctl_reply_number(const JsonValue *object, const char *key)
{
    const JsonValue *value = json_value_find(object, key);
    int64_t number;

    if (!value || value->type != JSON_NUMBER ||
        json_parse_int64(value->text, value->size, &number) < 0)
        return 0;
    return number;
}
