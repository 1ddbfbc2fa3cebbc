#pragma once

/*
 * Settings of the daemon: elementd.json, checked, with its defaults.
 */

#include <stdbool.h>

#include "base/acl.h"
#include "base/clock.h"

typedef struct Settings {
    Acl allow;   /* for instances that say nothing */
    char *owner; /* [A-Za-z0-9._-]{1,64}; NULL when it is neither set nor known: nothing may be provisioned then */
    unsigned parallel;
    usec_t request_timeout;
    usec_t verify_interval;
    usec_t credential_wait;
    char *problem; /* NULL, or the first of its problems, formatted: nothing may be provisioned then */
} Settings;

/* Fine on a zeroed struct. */
void settings_deinit(Settings *settings);
