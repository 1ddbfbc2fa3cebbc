#pragma once

/*
 * Settings of the daemon: elementd.json, checked, with its defaults.
 */

#include <stdbool.h>

#include "base/acl.h"
#include "base/clock.h"
#include "config/document.h"

typedef struct Settings {
    Acl allow; /* for instances that say nothing */
    char *
        owner; /* [A-Za-z0-9._-]{1,64}; NULL when it is neither set nor known: nothing may be provisioned then */
    unsigned parallel;
    usec_t request_timeout;
    usec_t verify_interval;
    usec_t credential_wait;
    char
        *problem; /* NULL, or the first of its errors, formatted: nothing may be provisioned then */
    Trouble trouble; /* the kind of `problem` */
} Settings;

/* Fine on a zeroed struct. */
void settings_deinit(Settings *settings);

/*
 * Fills in *ret_settings, which must be zeroed and is to be followed by settings_deinit() whatever comes back.
 * `source` is the file, or NULL when there is none: then `file` is where it would be. What is fine in a broken
 * file is used; in one that cannot be read the list is empty and the owner NULL. `problems` are those of this
 * file and come back in the order of their positions. 0 or -ENOMEM.
 */
int settings_parse(const DocumentSource *source, const char *file, Problems *problems,
                   Settings *ret_settings);
