#include "tests/sandbox/api_call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "tests/sandbox/api_error.h"

int api_call_refuse(ApiCall *call, unsigned status, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    int r;

    if (format) {
        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
    }
    r = api_error_fill(call->answer, status, format ? message : NULL, NULL);
    return r < 0 ? r : API_CALL_E_REFUSED;
}

int api_call_end(JsonWriter *writer)
{
    int r = json_writer_end(writer);

    return r == JSON_WRITER_E_FULL ? -EFBIG : r == JSON_WRITER_E_TEXT ? -EILSEQ : r;
}
