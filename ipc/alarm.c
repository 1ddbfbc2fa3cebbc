#include "ipc/alarm.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/error.h"

struct Alarm {
    AlarmHandler handler;
    void *userdata;
    int fd;
    struct event *event; /* in the loop from when it is first set until it is cleared */
    bool is_set;
    bool is_periodic;
};

static void alarm_on_readable(evutil_socket_t fd, short what, void *userdata)
{
    Alarm *alarm = userdata;
    uint64_t n;

    (void)what;
    /* Nothing is there when it has been set anew since the loop saw it. */
    if (read(fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
        return;
    if (!alarm->is_periodic)
        alarm->is_set = false;
    alarm->handler(alarm->userdata);
}

int alarm_new(struct event_base *base, AlarmHandler handler, void *userdata, Alarm **ret_alarm)
{
    _cleanup_(alarm_freep) Alarm *alarm = malloc(sizeof(*alarm));

    if (!alarm)
        return -ENOMEM;
    *alarm = (Alarm){.handler = handler, .userdata = userdata};
    alarm->fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (alarm->fd < 0)
        return error_errno();
    alarm->event = event_new(base, alarm->fd, EV_READ | EV_PERSIST, alarm_on_readable, alarm);
    if (!alarm->event)
        return -ENOMEM;
    *ret_alarm = TAKE_PTR(alarm);
    return 0;
}

Alarm *alarm_free(Alarm *alarm)
{
    if (!alarm)
        return NULL;
    if (alarm->event)
        event_free(alarm->event);
    if (alarm->fd >= 0)
        (void)close(alarm->fd);
    free(alarm);
    return NULL;
}

static struct timespec alarm_timespec(usec_t time)
{
    /* What nobody lives to see does not have to fit. */
    usec_t bounded = time < (usec_t)INT32_MAX * USEC_PER_SEC ? time
                                                             : (usec_t)INT32_MAX * USEC_PER_SEC;

    return (struct timespec){
        .tv_sec = (time_t)(bounded / USEC_PER_SEC),
        .tv_nsec = (long)(bounded % USEC_PER_SEC) * 1000,
    };
}

int alarm_set(Alarm *alarm, usec_t delay, usec_t period)
{
    struct itimerspec times = {
        .it_value = alarm_timespec(delay),
        .it_interval = alarm_timespec(period),
    };

    if (delay == 0) /* which would clear it */
        times.it_value.tv_nsec = 1;
    if (timerfd_settime(alarm->fd, 0, &times, NULL) < 0)
        return error_errno();
    if (event_add(alarm->event, NULL) < 0) {
        alarm_clear(alarm);
        return -ENOMEM;
    }
    alarm->is_set = true;
    alarm->is_periodic = period > 0;
    return 0;
}

void alarm_clear(Alarm *alarm)
{
    static const struct itimerspec never;

    alarm->is_set = false;
    (void)timerfd_settime(alarm->fd, 0, &never, NULL);
    (void)event_del(alarm->event);
}

bool alarm_is_set(const Alarm *alarm)
{
    return alarm->is_set;
}
