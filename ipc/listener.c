#include "ipc/listener.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "systemd/log.h"
#include "systemd/messages.h"

/* Pauses that are told of: users may keep the descriptors exhausted for as long as they like. */
#define LISTENER_LOG_BURST    1
#define LISTENER_LOG_INTERVAL (60 * USEC_PER_SEC)

struct Listener {
    int fd;
    ListenerAccept accept;
    ListenerHandler handler;
    void *userdata;
    struct event *connect; /* something connects; not armed during a pause */
    struct event *resume;  /* the pause is over */
    bool is_held;
    LogRate log_pauses;
};

static void listener_pause(Listener *listener, int error)
{
    static const struct timeval pause = {.tv_usec = LISTENER_PAUSE_USEC};
    unsigned n_suppressed;

    if (log_rate_allows(&listener->log_pauses, clock_boottime(), &n_suppressed))
        log_event(LOG_WARNING, MESSAGE_CONNECTIONS,
                  "No connection can be taken up, trying again every %u ms: %s",
                  (unsigned)(LISTENER_PAUSE_USEC / USEC_PER_MSEC), error_text(error));
    /* Without a timer it would never go on: then rather spin. */
    if (event_add(listener->resume, &pause) == 0)
        (void)event_del(listener->connect);
}

static void listener_on_resume(evutil_socket_t fd, short what, void *userdata)
{
    Listener *listener = userdata;

    (void)fd;
    (void)what;
    if (!listener->is_held && event_add(listener->connect, NULL) < 0)
        listener_pause(listener, -ENOMEM);
}

void listener_hold(Listener *listener)
{
    listener->is_held = true;
    (void)event_del(listener->connect);
}

void listener_go_on(Listener *listener)
{
    if (!listener->is_held)
        return;
    listener->is_held = false;
    /* A pause goes on by itself. */
    if (!event_pending(listener->resume, EV_TIMEOUT, NULL))
        listener_on_resume(-1, 0, listener);
}

static int listener_accept(void *userdata, int fd)
{
    (void)userdata;
    return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void listener_on_connect(evutil_socket_t fd, short what, void *userdata)
{
    Listener *listener = userdata;

    (void)what;
    for (int i = 0; i < LISTENER_ACCEPTS_MAX && !listener->is_held; i++) {
        int accepted = listener->accept(listener->userdata, fd);

        if (accepted >= 0) {
            listener->handler(listener->userdata, accepted);
            continue;
        }
        if (errno == EAGAIN)
            return;
        /* It has gone again before it was taken up, or a signal came: look at the next one. */
        if (errno == ECONNABORTED || errno == EINTR || errno == EPERM)
            continue;
        /* EMFILE, ENFILE, ENOBUFS, ENOMEM; and whatever else lasts. */
        listener_pause(listener, error_errno());
        return;
    }
}

Listener *listener_free(Listener *listener)
{
    if (!listener)
        return NULL;
    if (listener->connect)
        event_free(listener->connect);
    if (listener->resume)
        event_free(listener->resume);
    (void)close(listener->fd);
    free(listener);
    return NULL;
}

/* What is handed over by socket activation may be blocking. */
static int listener_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_errno();
    return 0;
}

int listener_new(struct event_base *base, int fd, ListenerAccept accept, ListenerHandler handler,
                 void *userdata, Listener **ret_listener)
{
    _cleanup_(listener_freep) Listener *listener = calloc(1, sizeof(*listener));
    int r;

    if (!listener) {
        (void)close(fd);
        return -ENOMEM;
    }
    listener->fd = fd;
    listener->accept = accept ? accept : listener_accept;
    listener->handler = handler;
    listener->userdata = userdata;
    listener->log_pauses = (LogRate){.interval = LISTENER_LOG_INTERVAL,
                                     .burst = LISTENER_LOG_BURST};
    r = listener_set_nonblocking(fd);
    if (r < 0)
        return r;
    listener->connect = event_new(base, fd, EV_READ | EV_PERSIST, listener_on_connect, listener);
    listener->resume = event_new(base, -1, 0, listener_on_resume, listener);
    if (!listener->connect || !listener->resume || event_add(listener->connect, NULL) < 0)
        return -ENOMEM;
    *ret_listener = TAKE_PTR(listener);
    return 0;
}
