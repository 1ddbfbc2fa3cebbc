#pragma once

/*
 * Decorrelated jitter: each pause is drawn between the shortest pause and three
 * times the one before, up to a ceiling, so that many clients that failed
 * together do not come back together.
 *
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */

#include "base/clock.h"

/*
 * The pause after one of `previous` (0: this is the first), within RETRY_MIN_USEC and
 * RETRY_MAX_USEC. `random` is uniform over all of uint64_t. Pure.
 */
usec_t backoff_next(usec_t previous, uint64_t random);

/*
 * `period` with a jitter of a tenth to either side; USEC_INFINITY stays what it is. `random` is uniform
 * over all of uint64_t. Pure.
 */
usec_t backoff_jitter(usec_t period, uint64_t random);
