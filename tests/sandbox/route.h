#pragma once

/*
 * Route: whether a path has the form that a table of routes gives.
 */

#include <stdbool.h>

/*
 * `form` is a path in which {} stands for one segment that is not empty; one slash more at the end of `path`
 * does no harm. *ret_segment is set to where {} begins in `path`, if anywhere.
 */
bool route_matches(const char *form, const char *path, const char **ret_segment);
