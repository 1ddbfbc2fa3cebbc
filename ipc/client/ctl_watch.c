/*
 * elementctl watch: a line whenever something about an instance changes. Tokens are not shown: whether there is one is
 * what a person watches for, and a program that wants it has the library.
 */

#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_instance.h"

DEFINE_FREEP(elementd_watch, elementd_watch_close)

/* "12:34:56  NAME  " */
static void ctl_watch_begin_line(CtlOutput *output, const char *name)
{
    time_t now = (time_t)(clock_realtime() / USEC_PER_SEC);
    char text[16] = "--:--:--";
    struct tm local;

    if (localtime_r(&now, &local))
        (void)strftime(text, sizeof(text), "%H:%M:%S", &local);
    ctl_output_printf(output, "%s  ", text);
    ctl_output_text(output, name, CTL_COLOUR_TITLE);
    ctl_output_printf(output, "  ");
}

static CtlStatus ctl_watch_print(const Ctl *ctl, CtlOutput *output,
                                 const elementd_instance *instance)
{
    if (ctl_options_has(&ctl->options, CTL_OPTION_JSON)) {
        ctl_instance_write(ctl_output_begin_json(output), instance);
        ctl_output_end_json(output);
        return ctl_output_end(output);
    }
    ctl_watch_begin_line(output, instance->name);
    ctl_output_text(output, instance->state, ctl_instance_colour(instance->state));
    ctl_output_printf(output, instance->has_token ? "  token" : "  no token");
    if (instance->problem) {
        ctl_output_printf(output, "  ");
        ctl_output_text(output, instance->problem, CTL_COLOUR_NONE);
    }
    ctl_output_printf(output, "\n");
    return ctl_output_end(output);
}

static CtlStatus ctl_watch_print_removed(const Ctl *ctl, CtlOutput *output, const char *name)
{
    JsonWriter *json;

    if (ctl_options_has(&ctl->options, CTL_OPTION_JSON)) {
        json = ctl_output_begin_json(output);
        json_writer_open_object(json);
        json_writer_key(json, "name");
        json_writer_string(json, name);
        json_writer_key(json, "isRemoved");
        json_writer_boolean(json, true);
        json_writer_close_object(json);
        ctl_output_end_json(output);
        return ctl_output_end(output);
    }
    ctl_watch_begin_line(output, name);
    ctl_output_text(output, "removed", CTL_COLOUR_BAD);
    ctl_output_printf(output, "\n");
    return ctl_output_end(output);
}

/* That the one that was asked for goes ends the command; of all, the others are watched on. */
static CtlStatus ctl_watch_removed(const Ctl *ctl, CtlOutput *output, const char *only,
                                   const elementd_watch *watch, bool *ret_is_over)
{
    const char *name = elementd_watch_last_error(watch)->instance;
    CtlStatus status = CTL_OK;

    *ret_is_over = false;
    if (!name || (only && strcmp(name, only) != 0))
        return CTL_OK;
    status = ctl_watch_print_removed(ctl, output, name);
    *ret_is_over = only || status != CTL_OK;
    return only && status == CTL_OK ? CTL_NO_INSTANCE : status;
}

static CtlStatus ctl_watch_run(const Ctl *ctl, CtlOutput *output, const char *only,
                               elementd_watch *watch)
{
    const elementd_instance *instance;
    CtlStatus status = CTL_OK;
    bool is_over = false, is_lost = false;

    while (!is_over) {
        int r = elementd_watch_next_instance(watch, UINT64_MAX, &instance);

        /* A daemon that restarts is watched on. */
        if (r == ELEMENTD_E_CLOSED && !is_lost) {
            is_lost = true;
            continue;
        }
        is_lost = false;
        if (r == ELEMENTD_E_NO_SUCH_INSTANCE)
            status = ctl_watch_removed(ctl, output, only, watch, &is_over);
        else if (r != 0)
            return ctl_failure_report_of(ctl, elementd_watch_last_error(watch), r, only, NULL);
        else if (!only || strcmp(instance->name, only) == 0)
            status = ctl_watch_print(ctl, output, instance);
        is_over = is_over || status != CTL_OK;
    }
    return status;
}

CtlStatus ctl_watch(const Ctl *ctl)
{
    const char *only = ctl->n_arguments > 0 ? ctl->arguments[0] : NULL;
    _cleanup_(ctl_instances_deinit) CtlInstances instances = {};
    _cleanup_(elementd_watch_closep) elementd_watch *watch = NULL;
    _cleanup_(elementd_closep) elementd *daemon = NULL;
    _cleanup_(ctl_output_deinit) CtlOutput output;
    CtlStatus status;
    int r;

    ctl_output_init(&output, ctl);
    status = ctl_failure_connect(ctl, &daemon);
    if (status == CTL_OK)
        status = ctl_instances_get(ctl, daemon, &instances);
    if (status != CTL_OK)
        return status;
    if (only && !ctl_instances_find(&instances, only))
        return ctl_instances_missing(ctl, daemon, only);
    r = elementd_watch_instances(daemon, &watch);
    if (r != 0)
        return ctl_failure_report(ctl, NULL, r, only, NULL);
    return ctl_watch_run(ctl, &output, only, watch);
}
