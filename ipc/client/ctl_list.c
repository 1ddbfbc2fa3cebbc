/*
 * elementctl list: a row an instance.
 *
 * VERIFIED is how long ago, in one word, so that each column but the last is one field.
 */

#include "base/cleanup.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_instance.h"
#include "ipc/client/ctl_table.h"
#include "ipc/client/ctl_time.h"

static const char *const ctl_list_titles[] = {
    "NAME", "STATE", "TOKEN", "ELEMENT", "ACCOUNT", "ID", "VERIFIED", "PROBLEM",
};

static void ctl_list_add(CtlTable *table, const elementd_instance *instance, usec_t now)
{
    char age[CTL_TIME_SIZE] = "";

    if (instance->verified_usec > 0)
        ctl_time_format_age(instance->verified_usec, now, age);
    ctl_table_add(table, instance->name, CTL_COLOUR_NONE);
    ctl_table_add(table, instance->state, ctl_instance_colour(instance->state));
    ctl_table_add(table, instance->has_token ? "yes" : "no", CTL_COLOUR_NONE);
    ctl_table_add(table, instance->element, CTL_COLOUR_NONE);
    ctl_table_add(table, instance->account, CTL_COLOUR_NONE);
    if (instance->id != 0)
        ctl_table_add_number(table, instance->id);
    else
        ctl_table_add(table, NULL, CTL_COLOUR_NONE);
    ctl_table_add(table, age, CTL_COLOUR_NONE);
    ctl_table_add(table, instance->problem, CTL_COLOUR_NONE);
}

static void ctl_list_print(const Ctl *ctl, const CtlInstances *instances, CtlOutput *output)
{
    _cleanup_(ctl_table_deinit) CtlTable table;
    usec_t now = clock_realtime();

    ctl_table_init(&table, ctl_list_titles, N_ELEMENTS(ctl_list_titles));
    for (size_t i = 0; i < instances->n_rows; i++)
        ctl_list_add(&table, instances->rows[i], now);
    ctl_table_print(&table, ctl->width, output);
}

static void ctl_list_print_json(const CtlInstances *instances, CtlOutput *output)
{
    JsonWriter *json = ctl_output_begin_json(output);

    json_writer_open_array(json);
    for (size_t i = 0; i < instances->n_rows; i++)
        ctl_instance_write(json, instances->rows[i]);
    json_writer_close_array(json);
    ctl_output_end_json(output);
}

CtlStatus ctl_list(const Ctl *ctl)
{
    _cleanup_(ctl_instances_deinit) CtlInstances instances = {};
    _cleanup_(elementd_closep) elementd *daemon = NULL;
    _cleanup_(ctl_output_deinit) CtlOutput output;
    CtlStatus status;

    ctl_output_init(&output, ctl);
    status = ctl_failure_connect(ctl, &daemon);
    if (status == CTL_OK)
        status = ctl_instances_get(ctl, daemon, &instances);
    if (status != CTL_OK)
        return status;
    if (ctl_options_has(&ctl->options, CTL_OPTION_JSON))
        ctl_list_print_json(&instances, &output);
    else
        ctl_list_print(ctl, &instances, &output);
    if (instances.n_rows == 0 && ctl->is_terminal)
        ctl_failure_say("%s", ctl_instances_none());
    return ctl_output_end(&output);
}
