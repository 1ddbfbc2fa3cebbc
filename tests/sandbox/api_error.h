#pragma once

/*
 * API error: a refusal in the platform's form, {"requestId": 24 hexadecimal digits, "message": prose}.
 */

#include "tests/sandbox/http_answer.h"

/*
 * Makes `answer` a refusal. `message` NULL: the usual words for that status; `provider_message` NULL: none,
 * else what the vendor is said to have said. 0 or -errno.
 */
int api_error_fill(HttpAnswer *answer, unsigned status, const char *message,
                   const char *provider_message);
