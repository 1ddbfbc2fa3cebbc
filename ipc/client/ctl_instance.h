#pragma once

/*
 * Instances as elementctl shows them: what its commands share about one and about all of them.
 */

#include "base/json_writer.h"
#include "ipc/client/ctl_output.h"
#include "ipc/client/elementd.h"

/* Those that the caller may see, by name. */
typedef struct CtlInstances {
    elementd_instances *list;
    const elementd_instance **rows; /* in `list` */
    size_t n_rows;
} CtlInstances;

/* 0, -errno, or any ELEMENTD_E_*, of which nothing is said. Fine to deinit after either, as with the next. */
int ctl_instances_list(elementd *daemon, CtlInstances *ret_instances);

/* CTL_OK, or what was said. */
CtlStatus ctl_instances_get(const Ctl *ctl, elementd *daemon, CtlInstances *ret_instances);
void ctl_instances_deinit(CtlInstances *instances);

/* The one of that name, or its place in `rows`; NULL: there is none. */
const elementd_instance **ctl_instances_find_row(const CtlInstances *instances, const char *name);
const elementd_instance *ctl_instances_find(const CtlInstances *instances, const char *name);

/* Says why one that was asked for is not among them. */
CtlStatus ctl_instances_missing(const Ctl *ctl, elementd *daemon, const char *name);

/* "no instance is declared", or none that this user may see. */
const char *ctl_instances_none(void);

/* As the daemon's own interface has it: ipc/io.elementd.varlink. */
void ctl_instance_write(JsonWriter *json, const elementd_instance *instance);

/* The same into an object that is open. */
void ctl_instance_write_members(JsonWriter *json, const elementd_instance *instance);

bool ctl_instance_is_ready(const elementd_instance *instance);

/* Of a state; a word that this version does not know has none. */
CtlColour ctl_instance_colour(const char *state);
