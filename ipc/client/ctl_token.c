/*
 * elementctl token, authorization: a secret alone on a line, for $(…) and for pipes.
 */

#include <inttypes.h>

#include "base/cleanup.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_output.h"
#include "ipc/client/ctl_text.h"

DEFINE_FREEP(char, elementd_free_secret)

/* The secret and a newline. One that would not stay on its line, or would move the cursor, is not printed. */
static CtlStatus ctl_token_print(CtlOutput *output, const char *secret)
{
    if (!ctl_text_is_plain(secret)) {
        ctl_failure_say("it holds control characters; print it by --json");
        return CTL_OTHER;
    }
    ctl_output_text(output, secret, CTL_COLOUR_NONE);
    ctl_output_printf(output, "\n");
    return ctl_output_end(output);
}

CtlStatus ctl_token(const Ctl *ctl)
{
    _cleanup_(elementd_free_secretp) char *token = NULL;
    _cleanup_(elementd_closep) elementd *daemon = NULL;
    _cleanup_(ctl_output_deinit) CtlOutput output;
    uint64_t verified_usec = 0;
    int64_t id = 0;
    JsonWriter *json;
    CtlStatus status;
    int r;

    ctl_output_init(&output, ctl);
    status = ctl_failure_connect(ctl, &daemon);
    if (status != CTL_OK)
        return status;
    r = elementd_get_token(daemon, ctl->arguments[0], ctl->options.wait, &token, &id,
                           &verified_usec);
    if (r != 0)
        return ctl_failure_report(ctl, daemon, r, ctl->arguments[0], &ctl_failure_token_right);
    if (!ctl_options_has(&ctl->options, CTL_OPTION_JSON))
        return ctl_token_print(&output, token);
    json = ctl_output_begin_json(&output);
    json_writer_open_object(json);
    json_writer_key(json, "token");
    json_writer_string(json, token);
    json_writer_key(json, "id");
    json_writer_int(json, id);
    if (verified_usec > 0) {
        json_writer_key(json, "verifiedUSec");
        json_writer_uint(json, verified_usec);
    }
    json_writer_close_object(json);
    ctl_output_end_json(&output);
    return ctl_output_end(&output);
}

CtlStatus ctl_token_authorization(const Ctl *ctl)
{
    _cleanup_(elementd_free_secretp) char *authorization = NULL;
    _cleanup_(elementd_closep) elementd *daemon = NULL;
    _cleanup_(ctl_output_deinit) CtlOutput output;
    JsonWriter *json;
    CtlStatus status;
    int r;

    ctl_output_init(&output, ctl);
    status = ctl_failure_connect(ctl, &daemon);
    if (status != CTL_OK)
        return status;
    r = elementd_get_authorization(daemon, ctl->arguments[0], ctl->options.wait, &authorization);
    if (r != 0)
        return ctl_failure_report(ctl, daemon, r, ctl->arguments[0],
                                  &ctl_failure_authorization_right);
    if (!ctl_options_has(&ctl->options, CTL_OPTION_JSON))
        return ctl_token_print(&output, authorization);
    json = ctl_output_begin_json(&output);
    json_writer_open_object(json);
    json_writer_key(json, "authorization");
    json_writer_string(json, authorization);
    json_writer_close_object(json);
    ctl_output_end_json(&output);
    return ctl_output_end(&output);
}
