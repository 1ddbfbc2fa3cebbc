#pragma once

/*
 * io.elementd: the methods that go on telling.
 *
 * A watch has no queue: it remembers what it has told last, and when it may write again it tells what is different by
 * then. While more than CONN_UNREAD_BYTES_MAX is unsent it writes nothing but the error that ends it.
 *
 * Limits: WATCHES_PER_UID_MAX, WATCHES_MAX, CONN_UNREAD_BYTES_MAX
 * Source: ipc/io.elementd.varlink
 */

#include "ipc/call.h"

/* One more than a user, or all of them, may have. */
#define WATCH_TOO_MANY "io.elementd.TooManyWatches"

/* For the table of ipc/methods.c. */
int watch_token(Call *call);
int watch_instances(Call *call);
