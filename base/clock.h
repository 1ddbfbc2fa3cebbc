#pragma once

/*
 * Time in microseconds, on two clocks.
 *
 * The boot-time clock decides when things are due: it never jumps and it goes
 * on during suspend. The realtime clock is only shown and stored: a stored
 * moment is never trusted further than the delay that was stored with it, so a
 * wall clock that jumps can neither stall nor burst anything.
 */

#include <stdint.h>

typedef uint64_t usec_t;

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_INFINITY UINT64_MAX

/* CLOCK_BOOTTIME, see clock_gettime(2). */
usec_t clock_boottime(void);

/* CLOCK_REALTIME, see clock_gettime(2). */
usec_t clock_realtime(void);

/* a + b, USEC_INFINITY where that overflows or either is infinite. */
usec_t clock_add(usec_t a, usec_t b);

/*
 * What is left of a wait that was to end at `until` (realtime) and was `delay` long, at `now`
 * (realtime). Between 0 and `delay`, however far the wall clock has jumped since.
 */
usec_t clock_left(usec_t until, usec_t delay, usec_t now);
