#pragma once

/*
 * Control: the sandbox's own interface, for tests and demonstrations.
 *
 * Without authorization, and answered at once whatever the faults say. README.md beside this file lists
 * what there is.
 */

#include "tests/sandbox/sandbox.h"

#define CONTROL_PREFIX "/_sandbox"

/* Takes the request, whose path is `path` below the prefix (borrowed from it). */
void control_handle(Sandbox *sandbox, HttpRequest *request, const char *path);
