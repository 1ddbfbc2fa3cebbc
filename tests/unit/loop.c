#include "tests/unit/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void loop_turn(struct event_base *base)
{
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
}

void loop_run_until(struct event_base *base, const unsigned *n, unsigned wanted)
{
    static const struct timeval patience = {.tv_sec = 60};

    assert_int_equal(event_base_loopexit(base, &patience), 0);
    while (*n < wanted && !event_base_got_exit(base))
        (void)event_base_loop(base, EVLOOP_ONCE);
    assert_int_equal(*n, wanted);
    loop_turn(base);
    assert_int_equal(*n, wanted);
}
