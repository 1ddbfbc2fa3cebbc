#include "base/clock.h"

#include <assert.h>
#include <time.h>

static usec_t clock_read(clockid_t id)
{
    struct timespec now;
    int r;

    r = clock_gettime(id, &now);
    assert(r == 0); /* fails only for a clock that the kernel does not have */
    return (usec_t)now.tv_sec * USEC_PER_SEC + (usec_t)now.tv_nsec / 1000;
}

usec_t clock_boottime(void)
{
    return clock_read(CLOCK_BOOTTIME);
}

usec_t clock_realtime(void)
{
    return clock_read(CLOCK_REALTIME);
}

usec_t clock_add(usec_t a, usec_t b)
{
    usec_t sum;

    return __builtin_add_overflow(a, b, &sum) ? USEC_INFINITY : sum;
}

usec_t clock_left(usec_t until, usec_t delay, usec_t now)
{
    usec_t left;

    if (until <= now)
        return 0;
    left = until - now;
    return left < delay ? left : delay;
}
