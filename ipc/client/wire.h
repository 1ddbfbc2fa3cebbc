#pragma once

/*
 * Wire: one connection to the daemon, on which one message goes out and one comes back, or many after another.
 *
 * Nothing waits past its deadline (CLOCK_BOOTTIME), and nothing raises a signal. What was sent and received is wiped.
 * Outcomes are the library's own, ELEMENTD_E_*, since they are passed to its caller as they are.
 *
 * Limits: REPLY_BYTES_MAX
 * Source: unix(7), https://varlink.org/Method-Call
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "ipc/client/elementd.h"

typedef struct Wire {
    int fd; /* non-blocking; -1: not connected */
    Buffer input;
    size_t n_searched;   /* of `input`, without a NUL among them */
    size_t message_size; /* of the message that was received and is not done with, with its NUL */
} Wire;

void wire_init(Wire *wire);

/* Disconnects, wipes what was received; the wire is then as after wire_init(). */
void wire_close(Wire *wire);

/* Whether there is a connection on which nothing has come that nobody asked for, and not its end either. */
bool wire_is_usable(const Wire *wire);

/* Of a wire that is not connected. 0, ELEMENTD_E_NO_DAEMON, _DENIED, _TIMEOUT or -errno. */
int wire_connect(Wire *wire, const char *path, usec_t deadline);

/* 0, ELEMENTD_E_CLOSED, _TIMEOUT or -errno. After anything but 0 the wire is of no more use, and must be closed. */
int wire_send(Wire *wire, const void *data, size_t size, usec_t deadline);

/*
 * Waits for one message, which lives, without its NUL, until wire_done(). 0, -errno, ELEMENTD_E_CLOSED, _TIMEOUT or
 * _PROTOCOL: it is too long. After _TIMEOUT it may be waited for again; after anything else but 0 as wire_send().
 */
int wire_receive(Wire *wire, usec_t deadline, const char **ret_text, size_t *ret_size);

/* Whether anything has come with the message that was received, behind it. */
bool wire_has_more(const Wire *wire);

/* Wipes the message. */
void wire_done(Wire *wire);
