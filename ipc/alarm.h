#pragma once

/*
 * Alarm: a timer of the loop for what is far off, or comes again and again.
 *
 * A pending timeout of libevent's costs each wake-up of the loop, whatever it is for: the clock is read, and the kernel sets a
 * timer for each epoll_wait(), which together are a thirtieth of the time of a look-up (measured: 0.4 of 15 us). An alarm is
 * a timer of the kernel's that becomes readable, and costs nothing until then. It takes a descriptor and a system call to set,
 * so what is set for a single request is better off with a timeout.
 *
 * Source: timerfd_create(2)
 */

#include <event2/event.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/clock.h"

typedef struct Alarm Alarm;

/* May set, clear or free the alarm. */
typedef void (*AlarmHandler)(void *userdata);

/* Not set yet. `base` must live as long. 0 or -errno; -EMFILE and -ENFILE as timerfd_create(2). */
int alarm_new(struct event_base *base, AlarmHandler handler, void *userdata, Alarm **ret_alarm);

/* NULL is fine. Returns NULL. */
Alarm *alarm_free(Alarm *alarm);

DEFINE_FREEP(Alarm, alarm_free)

/*
 * Has the handler called once `delay` has passed, on the boot-time clock and never before its time, and then every `period`;
 * 0: once. If several have passed meanwhile, they are one. Takes the place of what was set before. 0 or -errno.
 */
int alarm_set(Alarm *alarm, usec_t delay, usec_t period);

/* It is not called any more, not even if its time has come already. Idempotent. */
void alarm_clear(Alarm *alarm);

/* Whether it will be called. */
bool alarm_is_set(const Alarm *alarm);
