#pragma once

/*
 * Listener: a listening socket, and the loop that takes up what connects to it.
 *
 * Takes up several connections a wake-up. Without descriptors or memory left it pauses, since the socket would
 * stay readable and the loop would spin; what connects meanwhile queues in the kernel.
 *
 * Limits: LISTENER_ACCEPTS_MAX, LISTENER_PAUSE_USEC
 * Source: accept(2)
 */

#include <event2/event.h>

#include "base/cleanup.h"

typedef struct Listener Listener;

/* Takes over `fd`, which is connected, non-blocking and closed on exec. Must not free the listener. */
typedef void (*ListenerHandler)(void *userdata, int fd);

/* As accept4(), errno included; what it returns is non-blocking and closed on exec. */
typedef int (*ListenerAccept)(void *userdata, int fd);

/* Takes the listening socket `fd` over (also on failure) and begins. `accept` NULL: accept4() itself. 0 or -errno. */
int listener_new(struct event_base *base, int fd, ListenerAccept accept, ListenerHandler handler,
                 void *userdata, Listener **ret_listener);

/*
 * Takes up nothing more until listener_go_on(): what connects queues in the kernel. Both may be called from the handler, and
 * twice.
 */
void listener_hold(Listener *listener);
void listener_go_on(Listener *listener);

/* NULL is fine. Returns NULL. */
Listener *listener_free(Listener *listener);

DEFINE_FREEP(Listener, listener_free)
