#include "ipc/client/ctl_instance.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ipc/client/ctl_failure.h"

static const struct {
    const char *state;
    CtlColour colour;
} ctl_instance_colours[] = {
    {"pending", CTL_COLOUR_BUSY}, {"lookingUp", CTL_COLOUR_BUSY}, {"creating", CTL_COLOUR_BUSY},
    {"ready", CTL_COLOUR_GOOD},   {"waiting", CTL_COLOUR_BUSY},   {"failed", CTL_COLOUR_BAD},
    {"disabled", CTL_COLOUR_BAD},
};

CtlColour ctl_instance_colour(const char *state)
{
    for (size_t i = 0; i < N_ELEMENTS(ctl_instance_colours); i++)
        if (strcmp(ctl_instance_colours[i].state, state) == 0)
            return ctl_instance_colours[i].colour;
    return CTL_COLOUR_NONE;
}

bool ctl_instance_is_ready(const elementd_instance *instance)
{
    return strcmp(instance->state, "ready") == 0;
}

static int ctl_instances_compare(const void *a, const void *b)
{
    const elementd_instance *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

int ctl_instances_list(elementd *daemon, CtlInstances *ret_instances)
{
    int r;

    *ret_instances = (CtlInstances){};
    r = elementd_list_instances(daemon, &ret_instances->list);
    if (r != 0)
        return r;
    ret_instances->n_rows = elementd_instances_count(ret_instances->list);
    ret_instances->rows = calloc(ret_instances->n_rows + 1, sizeof(const elementd_instance *));
    if (!ret_instances->rows)
        return -ENOMEM;
    for (size_t i = 0; i < ret_instances->n_rows; i++)
        ret_instances->rows[i] = elementd_instances_get(ret_instances->list, i);
    qsort(ret_instances->rows, ret_instances->n_rows, sizeof(const elementd_instance *),
          ctl_instances_compare);
    return 0;
}

CtlStatus ctl_instances_get(const Ctl *ctl, elementd *daemon, CtlInstances *ret_instances)
{
    int r = ctl_instances_list(daemon, ret_instances);

    return r == 0 ? CTL_OK : ctl_failure_report(ctl, daemon, r, NULL, NULL);
}

void ctl_instances_deinit(CtlInstances *instances)
{
    free(instances->rows);
    elementd_instances_free(instances->list);
    *instances = (CtlInstances){};
}

static int ctl_instances_compare_name(const void *name, const void *row)
{
    const elementd_instance *const *instance = row;

    return strcmp(name, (*instance)->name);
}

const elementd_instance **ctl_instances_find_row(const CtlInstances *instances, const char *name)
{
    return bsearch(name, instances->rows, instances->n_rows, sizeof(const elementd_instance *),
                   ctl_instances_compare_name);
}

const elementd_instance *ctl_instances_find(const CtlInstances *instances, const char *name)
{
    const elementd_instance **row = ctl_instances_find_row(instances, name);

    return row ? *row : NULL;
}

/* A list leaves out what the caller may not see; asking for the token tells whether that is the reason. */
CtlStatus ctl_instances_missing(const Ctl *ctl, elementd *daemon, const char *name)
{
    int r = elementd_get_token(daemon, name, 0, NULL, NULL, NULL);

    if (r == 0 || r == ELEMENTD_E_NOT_READY || r == ELEMENTD_E_FAILED) {
        ctl_failure_say("\"%s\" was declared just now; try again", name);
        return CTL_NOT_READY;
    }
    return ctl_failure_report(ctl, daemon, r, name, &ctl_failure_token_right);
}

const char *ctl_instances_none(void)
{
    return geteuid() == 0 ? "no instance is declared; one is a file in /etc/elementd/instances.d"
                          : "no instance is declared that you may use; root sees all";
}

static void ctl_instance_write_text(JsonWriter *json, const char *key, const char *text)
{
    json_writer_key(json, key);
    json_writer_string(json, text);
}

static void ctl_instance_write_time(JsonWriter *json, const char *key, uint64_t time)
{
    if (time == 0)
        return;
    json_writer_key(json, key);
    json_writer_uint(json, time);
}

void ctl_instance_write_members(JsonWriter *json, const elementd_instance *instance)
{
    ctl_instance_write_text(json, "name", instance->name);
    ctl_instance_write_text(json, "element", instance->element);
    ctl_instance_write_text(json, "account", instance->account);
    ctl_instance_write_text(json, "state", instance->state);
    if (instance->id != 0) {
        json_writer_key(json, "id");
        json_writer_int(json, instance->id);
    }
    json_writer_key(json, "hasToken");
    json_writer_boolean(json, instance->has_token);
    json_writer_key(json, "sinceUSec");
    json_writer_uint(json, instance->since_usec);
    ctl_instance_write_time(json, "verifiedUSec", instance->verified_usec);
    ctl_instance_write_time(json, "retryUSec", instance->retry_usec);
    json_writer_key(json, "attempts");
    json_writer_uint(json, instance->attempts);
    if (instance->problem)
        ctl_instance_write_text(json, "problem", instance->problem);
    if (instance->problem_kind)
        ctl_instance_write_text(json, "problemKind", instance->problem_kind);
    ctl_instance_write_time(json, "problemSinceUSec", instance->problem_since_usec);
}

void ctl_instance_write(JsonWriter *json, const elementd_instance *instance)
{
    json_writer_open_object(json);
    ctl_instance_write_members(json, instance);
    json_writer_close_object(json);
}
