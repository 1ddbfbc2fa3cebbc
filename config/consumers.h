#pragma once

/*
 * Consumers: the units of this host that load a credential of elementd, and would not notice that they do not get it.
 *
 * With systemd before 256, a service of Type=simple counts as started before its credentials are there: it is "active" while
 * it waits, and who is ordered after it goes on without it. The installed units are read for that, with their drop-ins and
 * in the order in which systemd looks; what cannot be read is passed over.
 *
 * Limits: CONSUMERS_MAX, CONSUMER_FILES_MAX, CONFIG_FILE_BYTES_MAX
 * Source: systemd.unit(5) for folders, drop-ins and masks; NEWS of systemd 256
 */

#include "config/problem.h"

/* Blocking. Adds a warning for each to `problems`; `root` may be NULL. 0 or -ENOMEM. */
int consumers_check(const char *root, Problems *problems);
