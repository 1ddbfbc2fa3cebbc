#pragma once

/*
 * API authorization: "User …, Organization …, Element …", in any order.
 *
 * User and Organization are enough for the platform's own calls; User and Element for those about one
 * instance. A wrong one is refused in the same words whichever it is, as on the platform.
 */

#include "tests/sandbox/api_call.h"

/* Fills in the account and the caller. 0, API_CALL_E_REFUSED or -errno. */
int api_auth_check(ApiCall *call);
