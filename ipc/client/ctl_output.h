#pragma once

/*
 * Output: what a command prints, collected and then written in one go, so that a failure on the way prints
 * nothing, and wiped, since it may be a token.
 *
 * The first failure sticks: calls after it do nothing, and ctl_output_end() returns it.
 */

#include "base/buffer.h"
#include "base/json_writer.h"
#include "ipc/client/ctl.h"

/* Four times the longest reply: a table pads, and JSON is laid out again. */
#define CTL_OUTPUT_BYTES_MAX (64 * 1024 * 1024)

typedef enum CtlColour {
    CTL_COLOUR_NONE,
    CTL_COLOUR_GOOD,
    CTL_COLOUR_BUSY,
    CTL_COLOUR_BAD,
    CTL_COLOUR_TITLE,
} CtlColour;

typedef struct CtlOutput {
    Buffer bytes;
    int error;
    bool has_colour;
    JsonWriter json; /* between ctl_output_begin_json() and ctl_output_end_json() */
    Buffer json_bytes;
} CtlOutput;

void ctl_output_init(CtlOutput *output, const Ctl *ctl);

/* Wipes. Fine after ctl_output_end(). */
void ctl_output_deinit(CtlOutput *output);

/* Adds our own words, or `text` from elsewhere, which is made safe for a terminal. */
void ctl_output_printf(CtlOutput *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ctl_output_text(CtlOutput *output, const char *text, CtlColour colour);
void ctl_output_spaces(CtlOutput *output, size_t n);

/* One JSON document, on a line of its own. */
JsonWriter *ctl_output_begin_json(CtlOutput *output);
void ctl_output_end_json(CtlOutput *output);

/* Writes all to stdout, and says on stderr what kept it from that. */
CtlStatus ctl_output_end(CtlOutput *output);
