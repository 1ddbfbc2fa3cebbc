/*
 * elementctl status: how all instances are, or everything about one; what is wrong, and what to do about it.
 *
 * Its exit status is that of the worst that it tells of, so that it may be asked by what watches over a host.
 */

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "ipc/client/ctl_diagnosis.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_instance.h"
#include "ipc/client/ctl_time.h"

/* ---- one ---- */

static void ctl_status_label(CtlOutput *output, const char *label)
{
    ctl_output_printf(output, "%10s  ", label);
}

static void ctl_status_print_token(CtlOutput *output, const elementd_instance *instance, usec_t now)
{
    char when[CTL_TIME_SIZE];

    ctl_status_label(output, "token");
    if (!instance->has_token) {
        ctl_output_printf(output, "none yet\n");
    } else if (instance->verified_usec == 0) {
        ctl_output_printf(output, "served, not verified yet\n");
    } else {
        ctl_time_format_ago(instance->verified_usec, now, when);
        ctl_output_printf(output, "served, verified %s\n", when);
    }
}

static void ctl_status_print_one(CtlOutput *output, const elementd_instance *instance, usec_t now)
{
    char when[CTL_TIME_SIZE];

    ctl_output_text(output, instance->name, CTL_COLOUR_TITLE);
    ctl_output_printf(output, "\n");
    ctl_status_label(output, "state");
    ctl_output_text(output, instance->state, ctl_instance_colour(instance->state));
    if (instance->since_usec > 0) {
        ctl_time_format_span(now > instance->since_usec ? now - instance->since_usec : 0, when);
        ctl_output_printf(output, ", for %s", when);
    }
    ctl_output_printf(output, "\n");
    ctl_status_label(output, "element");
    ctl_output_text(output, *instance->element ? instance->element : "not known", CTL_COLOUR_NONE);
    ctl_output_printf(output, ", account ");
    ctl_output_text(output, *instance->account ? instance->account : "not known", CTL_COLOUR_NONE);
    ctl_output_printf(output, "\n");
    if (instance->id != 0) {
        ctl_status_label(output, "id");
        ctl_output_printf(output, "%" PRId64 "\n", instance->id);
    }
    ctl_status_print_token(output, instance, now);
    ctl_status_label(output, "attempts");
    ctl_output_printf(output, "%" PRIu64 "\n", instance->attempts);
}

/* ---- all ---- */

/* How many are in one state. */
typedef struct CtlStatusCount {
    const char *state; /* in the list */
    size_t n;
} CtlStatusCount;

/* The daemon has seven; a later one may have some more, and what is beyond is counted as ready or not alone. */
#define CTL_STATUS_STATES_MAX 16

/* Counts by state, in the order in which they come; returns how many states there are. */
static size_t ctl_status_count(const CtlInstances *instances,
                               CtlStatusCount counts[static CTL_STATUS_STATES_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < instances->n_rows; i++) {
        size_t k = 0;

        while (k < n && strcmp(counts[k].state, instances->rows[i]->state) != 0)
            k++;
        if (k == CTL_STATUS_STATES_MAX)
            continue;
        if (k == n)
            counts[n++] = (CtlStatusCount){.state = instances->rows[i]->state};
        counts[k].n++;
    }
    return n;
}

static void ctl_status_print_counts(CtlOutput *output, const CtlInstances *instances)
{
    CtlStatusCount counts[CTL_STATUS_STATES_MAX];
    size_t n = ctl_status_count(instances, counts);

    ctl_output_printf(output, "%zu %s:", instances->n_rows,
                      instances->n_rows == 1 ? "instance" : "instances");
    for (size_t i = 0; i < n; i++) {
        ctl_output_printf(output, "%s %zu ", i > 0 ? "," : "", counts[i].n);
        ctl_output_text(output, counts[i].state, ctl_instance_colour(counts[i].state));
    }
    ctl_output_printf(output, "\n\n");
}

static void ctl_status_print_all(const Ctl *ctl, CtlOutput *output, const CtlDiagnosis *diagnosis)
{
    const CtlInstances *instances = diagnosis->instances;
    bool is_well = diagnosis->n_troubles == 0 && diagnosis->n_busy == 0;

    if (instances->n_rows == 0)
        ctl_output_printf(output, "%s\n%s", ctl_instances_none(), is_well ? "" : "\n");
    else if (!is_well)
        ctl_status_print_counts(output, instances);
    else if (instances->n_rows == 1)
        ctl_output_printf(output, "the only instance is ready\n");
    else
        ctl_output_printf(output, "all %zu instances are ready\n", instances->n_rows);
    ctl_diagnosis_print(ctl, diagnosis, output);
}

/* {"total": 3, "states": {"ready": 2, "failed": 1}, "notReady": [ … ], "troubles": [ … ]} */
static void ctl_status_write_all(const Ctl *ctl, JsonWriter *json, const CtlDiagnosis *diagnosis)
{
    const CtlInstances *instances = diagnosis->instances;
    CtlStatusCount counts[CTL_STATUS_STATES_MAX];
    size_t n = ctl_status_count(instances, counts);

    json_writer_open_object(json);
    json_writer_key(json, "total");
    json_writer_uint(json, instances->n_rows);
    json_writer_key(json, "states");
    json_writer_open_object(json);
    for (size_t i = 0; i < n; i++) {
        json_writer_key(json, counts[i].state);
        json_writer_uint(json, counts[i].n);
    }
    json_writer_close_object(json);
    json_writer_key(json, "notReady");
    json_writer_open_array(json);
    for (size_t i = 0; i < instances->n_rows; i++)
        if (!ctl_instance_is_ready(instances->rows[i]))
            ctl_instance_write(json, instances->rows[i]);
    json_writer_close_array(json);
    json_writer_key(json, "troubles");
    ctl_diagnosis_write(ctl, diagnosis, json);
    json_writer_close_object(json);
}

/* ---- the command ---- */

/* The instance as in a list, with its troubles as one more member. */
static void ctl_status_write_one(const Ctl *ctl, JsonWriter *json, const CtlDiagnosis *diagnosis,
                                 const elementd_instance *instance)
{
    json_writer_open_object(json);
    ctl_instance_write_members(json, instance);
    json_writer_key(json, "troubles");
    ctl_diagnosis_write(ctl, diagnosis, json);
    json_writer_close_object(json);
}

/* `one` is NULL for all. */
static void ctl_status_print(const Ctl *ctl, CtlOutput *output, const CtlDiagnosis *diagnosis,
                             const elementd_instance *one)
{
    JsonWriter *json;

    if (!ctl_options_has(&ctl->options, CTL_OPTION_JSON)) {
        if (one) {
            ctl_status_print_one(output, one, clock_realtime());
            ctl_diagnosis_print_labelled(ctl, diagnosis, output);
        } else {
            ctl_status_print_all(ctl, output, diagnosis);
        }
        return;
    }
    json = ctl_output_begin_json(output);
    if (one)
        ctl_status_write_one(ctl, json, diagnosis, one);
    else
        ctl_status_write_all(ctl, json, diagnosis);
    ctl_output_end_json(output);
}

static CtlStatus ctl_status_tell(const Ctl *ctl, const CtlDiagnosis *diagnosis,
                                 const elementd_instance *one)
{
    _cleanup_(ctl_output_deinit) CtlOutput output;
    CtlStatus status;

    ctl_output_init(&output, ctl);
    ctl_status_print(ctl, &output, diagnosis, one);
    status = ctl_output_end(&output);
    return status == CTL_OK ? ctl_diagnosis_status(diagnosis) : status;
}

CtlStatus ctl_status(const Ctl *ctl)
{
    _cleanup_(ctl_diagnosis_deinit) CtlDiagnosis diagnosis = {};
    _cleanup_(ctl_instances_deinit) CtlInstances instances = {};
    _cleanup_(elementd_closep) elementd *daemon = NULL;
    const elementd_instance *one = NULL;
    int r;

    r = ctl_failure_open(ctl, &daemon);
    if (r == 0)
        r = ctl_instances_list(daemon, &instances);
    if (r != 0)
        return ctl_diagnosis_no_answer(ctl, daemon, r);
    if (ctl->n_arguments > 0) {
        one = ctl_instances_find(&instances, ctl->arguments[0]);
        if (!one)
            return ctl_instances_missing(ctl, daemon, ctl->arguments[0]);
    }
    r = ctl_diagnosis_make(daemon, &instances, one, &diagnosis);
    return r == 0 ? ctl_status_tell(ctl, &diagnosis, one)
                  : ctl_failure_report(ctl, daemon, r, NULL, NULL);
}
