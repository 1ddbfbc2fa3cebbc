#pragma once

/*
 * Unit file: what a service of systemd says about its start, and whether it loads a credential of elementd.
 *
 * A unit is the sum of its file and its drop-ins, taken in one after the other: the last word counts, and an empty value takes
 * back what was said before. Whatever is not asked for here is passed over, and so is what is broken: systemd tells of that.
 *
 * Source: systemd.syntax(7), Type= in systemd.service(5), LoadCredential= in systemd.exec(5)
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

typedef struct UnitFile {
    bool has_type;
    bool
        is_type_early; /* its Type= lets it count as started before its credentials are there: "simple", "idle" */
    bool has_bus_name;
    bool has_start; /* ExecStart= */
    const char *
        consumer; /* the name of the file that loads a credential of elementd first; borrowed. NULL: none does */
    JsonPosition at; /* where, in that file */
} UnitFile;

/*
 * Takes in the file `name`, which must live as long as `unit`. Its text ends in a NUL, at `size`, and is changed meanwhile;
 * a NUL before that is a blank. A zeroed struct is a unit that has said nothing.
 */
void unit_file_parse(UnitFile *unit, const char *name, char *text, size_t size);

/* Whether such a service counts as started before its credentials are there, with a systemd before 256. */
bool unit_file_is_early(const UnitFile *unit);
