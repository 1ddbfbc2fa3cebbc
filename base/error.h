#pragma once

/*
 * Errors: two kinds, told apart by their sign.
 *
 *   0          done
 *   X_E_*  > 0 an outcome that module X documents; its direct caller handles
 *              it and never forwards it
 *   -errno < 0 something broke; forwarded unchanged and never matched on
 *
 * A negative stops at one of three boundaries, each of which logs it once: the
 * connection (dropped), the step (failed, backs off) and main (exits). Code
 * below a boundary logs nothing above debug. Bugs are asserted; whatever comes
 * from a file, a socket or the network is an outcome.
 */

#include <errno.h>
#include <string.h>

/* The negative errno of the call that just failed; never 0, even where a library forgot to set it. */
static inline int error_errno(void)
{
    return errno > 0 ? -errno : -EIO;
}

/* Words for a negative errno; static or thread-local storage, never NULL. */
static inline const char *error_text(int error)
{
    const char *text = strerrordesc_np(error < 0 ? -error : error);

    return text ? text : "Unknown error";
}
