#include "ipc/client/ctl_output.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_text.h"

/* Select Graphic Rendition, ECMA-48 8.3.117. */
static const char *const ctl_output_colours[] = {
    [CTL_COLOUR_NONE] = "",        [CTL_COLOUR_GOOD] = "\033[32m", [CTL_COLOUR_BUSY] = "\033[33m",
    [CTL_COLOUR_BAD] = "\033[31m", [CTL_COLOUR_TITLE] = "\033[1m",
};
#define CTL_OUTPUT_PLAIN "\033[0m"

void ctl_output_init(CtlOutput *output, const Ctl *ctl)
{
    *output = (CtlOutput){
        .bytes = BUFFER_INIT(CTL_OUTPUT_BYTES_MAX),
        .json_bytes = BUFFER_INIT(CTL_OUTPUT_BYTES_MAX),
        .has_colour = ctl->has_colour,
    };
}

void ctl_output_deinit(CtlOutput *output)
{
    buffer_deinit(&output->bytes);
    buffer_deinit(&output->json_bytes);
}

/* Keeps the first failure. */
static void ctl_output_note(CtlOutput *output, int r)
{
    if (output->error == 0 && r != 0)
        output->error = r < 0 ? r : -E2BIG;
}

void ctl_output_printf(CtlOutput *output, const char *format, ...)
{
    _cleanup_(freep) char *text = NULL;
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (n < 0) {
        text = NULL;
        ctl_output_note(output, -ENOMEM);
        return;
    }
    if (output->error == 0)
        ctl_output_note(output, buffer_append(&output->bytes, text, (size_t)n));
}

void ctl_output_text(CtlOutput *output, const char *text, CtlColour colour)
{
    bool is_coloured = output->has_colour && colour != CTL_COLOUR_NONE;

    if (output->error == 0 && is_coloured)
        ctl_output_note(output, buffer_append_string(&output->bytes, ctl_output_colours[colour]));
    if (output->error == 0)
        ctl_output_note(output, ctl_text_append(&output->bytes, text));
    if (output->error == 0 && is_coloured)
        ctl_output_note(output, buffer_append_string(&output->bytes, CTL_OUTPUT_PLAIN));
}

void ctl_output_spaces(CtlOutput *output, size_t n)
{
    for (; n > 0 && output->error == 0; n--)
        ctl_output_note(output, buffer_append_string(&output->bytes, " "));
}

JsonWriter *ctl_output_begin_json(CtlOutput *output)
{
    json_writer_begin(&output->json, &output->json_bytes);
    return &output->json;
}

void ctl_output_end_json(CtlOutput *output)
{
    ctl_output_note(output, json_writer_end(&output->json));
    if (output->error == 0)
        ctl_output_note(output,
                        ctl_text_append_json(&output->bytes, buffer_data(&output->json_bytes),
                                             buffer_size(&output->json_bytes)));
    buffer_clear(&output->json_bytes);
    if (output->error == 0)
        ctl_output_note(output, buffer_append_string(&output->bytes, "\n"));
}

/* All of it, also to a terminal or pipe that takes it in parts. */
static int ctl_output_write(const Buffer *bytes)
{
    const char *data = buffer_data(bytes);
    size_t left = buffer_size(bytes);

    while (left > 0) {
        ssize_t n = write(STDOUT_FILENO, data, left);

        /* Whoever made it non-blocking may still be reading. */
        if (n < 0 && errno == EAGAIN)
            (void)poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
        else if (n < 0 && errno != EINTR)
            return error_errno();
        if (n > 0) {
            data += n;
            left -= (size_t)n;
        }
    }
    return 0;
}

CtlStatus ctl_output_end(CtlOutput *output)
{
    if (output->error == 0)
        ctl_output_note(output, ctl_output_write(&output->bytes));
    buffer_clear(&output->bytes);
    if (output->error == 0)
        return CTL_OK;
    ctl_failure_say("cannot print: %s", error_text(output->error));
    return CTL_OTHER;
}
