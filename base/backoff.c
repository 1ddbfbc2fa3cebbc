#include "base/backoff.h"

#include "base/limits.h"

/* `random` scaled to [0, span]; the modulo's bias is far below what a pause could show. */
static usec_t backoff_scale(uint64_t random, usec_t span)
{
    return span == UINT64_MAX ? random : random % (span + 1);
}

usec_t backoff_next(usec_t previous, uint64_t random)
{
    usec_t top;

    if (previous < RETRY_MIN_USEC)
        previous = RETRY_MIN_USEC;
    top = previous > RETRY_MAX_USEC / 3 ? RETRY_MAX_USEC : previous * 3;
    return RETRY_MIN_USEC + backoff_scale(random, top - RETRY_MIN_USEC);
}

usec_t backoff_jitter(usec_t period, uint64_t random)
{
    usec_t tenth = period / 10;

    if (period == USEC_INFINITY)
        return USEC_INFINITY;
    return clock_add(period - tenth, backoff_scale(random, 2 * tenth));
}
