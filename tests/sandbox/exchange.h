#pragma once

/*
 * Exchange: one API request from its arrival to its answer, with the faults that it meets on the way.
 *
 *     arrives → delay → carried out → delay-after → answered
 *
 * Goes on when the client has gone: a lost request is still worked on. Frees itself.
 */

#include "tests/sandbox/sandbox.h"

/* Takes the request, whose path is `path` below the API's prefix (borrowed from it). */
void exchange_start(Sandbox *sandbox, HttpRequest *request, const char *path);

/* Drops all that are under way. */
void exchange_stop_all(Sandbox *sandbox);
