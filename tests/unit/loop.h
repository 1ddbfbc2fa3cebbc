#pragma once

/*
 * Loop: an event loop that is turned by a test.
 */

#include <event2/event.h>

/* What is due now, and no more. */
void loop_turn(struct event_base *base);

/* Goes on until *n is `wanted`, which must come within a minute, and makes sure that one turn more does not change that. */
void loop_run_until(struct event_base *base, const unsigned *n, unsigned wanted);
