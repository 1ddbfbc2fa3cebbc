/*
 * elementctl reload, retry, orphans: for whoever runs this host.
 */

#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "ipc/client/ctl_call.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_output.h"
#include "ipc/client/ctl_table.h"
#include "ipc/client/ctl_time.h"

static CtlStatus ctl_operate_print_json(CtlOutput *output, const JsonValue *value)
{
    json_writer_value(ctl_output_begin_json(output), value);
    ctl_output_end_json(output);
    return ctl_output_end(output);
}

/* ---- reload ---- */

/* "added: a, b", or nothing; returns how many there are. */
static size_t ctl_operate_print_names(CtlOutput *output, const JsonValue *parameters,
                                      const char *key)
{
    const JsonValue *names = json_value_find(parameters, key);
    size_t n = 0;

    if (!names)
        return 0;
    JSON_VALUE_FOREACH(name, names) {
        if (!json_value_is_text(name))
            continue;
        ctl_output_printf(output, n == 0 ? "%s: " : ", ", key);
        ctl_output_text(output, name->text, CTL_COLOUR_NONE);
        n++;
    }
    if (n > 0)
        ctl_output_printf(output, "\n");
    return n;
}

CtlStatus ctl_operate_reload(const Ctl *ctl)
{
    static const char *const keys[] = {"added", "changed", "removed"};
    _cleanup_(ctl_reply_deinit) CtlReply reply = {};
    _cleanup_(ctl_output_deinit) CtlOutput output;
    CtlStatus status;
    size_t n = 0;

    ctl_output_init(&output, ctl);
    status = ctl_call(ctl, "io.elementd.Reload", NULL, RELOAD_WAIT_USEC, &reply);
    if (status != CTL_OK)
        return status;
    if (ctl_options_has(&ctl->options, CTL_OPTION_JSON))
        return ctl_operate_print_json(&output, reply.parameters);
    for (size_t i = 0; i < N_ELEMENTS(keys); i++)
        n += ctl_operate_print_names(&output, reply.parameters, keys[i]);
    if (n == 0)
        ctl_output_printf(&output, "nothing has changed\n");
    return ctl_output_end(&output);
}

/* ---- retry ---- */

CtlStatus ctl_operate_retry(const Ctl *ctl)
{
    _cleanup_(ctl_reply_deinit) CtlReply reply = {};
    CtlStatus status = ctl_call(ctl, "io.elementd.Retry", ctl->arguments[0], 0, &reply);

    if (status == CTL_OK && ctl->is_terminal)
        ctl_failure_say("\"%s\" is tried again; what comes of it: elementctl status %s",
                        ctl->arguments[0], ctl->arguments[0]);
    return status;
}

/* ---- orphans ---- */

static const char *const ctl_operate_titles[] = {
    "ID", "INSTANCE", "REASON", "SINCE", "DELETING", "ELEMENT", "ACCOUNT", "URL", "PROBLEM",
};

static void ctl_operate_add(CtlTable *table, const JsonValue *orphan, usec_t now)
{
    const JsonValue *deleting = json_value_find(orphan, "isDeleting");
    char age[CTL_TIME_SIZE];

    ctl_time_format_age((usec_t)ctl_reply_number(orphan, "sinceUSec"), now, age);
    ctl_table_add_number(table, ctl_reply_number(orphan, "id"));
    ctl_table_add(table, ctl_reply_text(orphan, "instance"), CTL_COLOUR_NONE);
    ctl_table_add(table, ctl_reply_text(orphan, "reason"), CTL_COLOUR_NONE);
    ctl_table_add(table, age, CTL_COLOUR_NONE);
    ctl_table_add(table, deleting && deleting->boolean ? "yes" : "no", CTL_COLOUR_NONE);
    ctl_table_add(table, ctl_reply_text(orphan, "element"), CTL_COLOUR_NONE);
    ctl_table_add(table, ctl_reply_text(orphan, "account"), CTL_COLOUR_NONE);
    ctl_table_add(table, ctl_reply_text(orphan, "url"), CTL_COLOUR_NONE);
    ctl_table_add(table, ctl_reply_text(orphan, "problem"), CTL_COLOUR_NONE);
}

static CtlStatus ctl_operate_print_orphans(const Ctl *ctl, CtlOutput *output,
                                           const JsonValue *orphans)
{
    _cleanup_(ctl_table_deinit) CtlTable table;
    usec_t now = clock_realtime();

    ctl_table_init(&table, ctl_operate_titles, N_ELEMENTS(ctl_operate_titles));
    JSON_VALUE_FOREACH(orphan, orphans)
        ctl_operate_add(&table, orphan, now);
    ctl_table_print(&table, ctl->width, output);
    if (orphans->n_children == 0 && ctl->is_terminal)
        ctl_failure_say("nothing is left over on the platform, as far as elementd knows");
    return ctl_output_end(output);
}

CtlStatus ctl_operate_orphans(const Ctl *ctl)
{
    _cleanup_(ctl_reply_deinit) CtlReply reply = {};
    _cleanup_(ctl_output_deinit) CtlOutput output;
    const JsonValue *orphans;
    CtlStatus status;

    ctl_output_init(&output, ctl);
    status = ctl_call(ctl, "io.elementd.ListOrphans", NULL, 0, &reply);
    if (status != CTL_OK)
        return status;
    orphans = json_value_find(reply.parameters, "orphans");
    if (!orphans || orphans->type != JSON_ARRAY)
        return ctl_failure_report(ctl, NULL, ELEMENTD_E_PROTOCOL, NULL, NULL);
    if (ctl_options_has(&ctl->options, CTL_OPTION_JSON))
        return ctl_operate_print_json(&output, orphans);
    return ctl_operate_print_orphans(ctl, &output, orphans);
}
