#include "tests/sandbox/control_call.h"

#include <errno.h>
#include <stdarg.h>

int control_call_end(JsonWriter *writer)
{
    int r = json_writer_end(writer);

    return r == JSON_WRITER_E_FULL ? -EFBIG : r == JSON_WRITER_E_TEXT ? -EILSEQ : r;
}

int control_call_refuse(ControlCall *call, unsigned status, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    JsonWriter writer;
    int r;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    buffer_clear(&call->answer->body);
    call->answer->status = status;
    json_writer_begin(&writer, &call->answer->body);
    json_writer_open_object(&writer);
    json_writer_key(&writer, "error");
    json_writer_string(&writer, message);
    json_writer_close_object(&writer);
    r = control_call_end(&writer);
    return r < 0 ? r : CONTROL_CALL_E_REFUSED;
}

int control_call_read(ControlCall *call, const JsonValue *object, const Field *fields, void *target)
{
    FieldsTarget targets = {fields, target};
    FieldsError error = {};
    int r;

    r = fields_read(object, &targets, 1, &error);
    return r == FIELDS_E_INVALID ? control_call_refuse(call, 400, "%s", error.message) : r;
}
