#pragma once

/*
 * io.elementd: DescribeElement, which asks the platform which configuration keys an element has.
 *
 * The call waits for the daemon, which waits for the platform; one that ends before lets go of its question.
 *
 * Limits: DESCRIBE_WAIT_USEC, DESCRIBE_NAME_BYTES_MAX
 * Source: ipc/io.elementd.varlink
 */

#include "ipc/call.h"

#define DESCRIBE_NO_SUCH_ACCOUNT "io.elementd.NoSuchAccount"
#define DESCRIBE_NO_SUCH_ELEMENT "io.elementd.NoSuchElement"
#define DESCRIBE_UNAVAILABLE     "io.elementd.PlatformUnavailable"

/* For the table of ipc/methods.c. */
int describe_element(Call *call);
