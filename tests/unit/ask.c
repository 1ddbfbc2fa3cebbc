#include "tests/unit/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"

Buffer ask_body_of_bytes(const char *text, size_t size)
{
    Buffer body = BUFFER_INIT(HTTP_BODY_BYTES_MAX);

    assert_int_equal(buffer_append(&body, text, size), 0);
    return body;
}

Buffer ask_body_of(const char *text)
{
    return ask_body_of_bytes(text, strlen(text));
}

PlatformAnswer ask_read(const Ask *ask)
{
    HttpAnswer http = {
        .status = ask->status,
        .is_complete = !ask->is_broken,
        .is_sent = !ask->is_not_sent,
        .body = BUFFER_INIT(HTTP_BODY_BYTES_MAX),
        .retry_after = ask->retry_after,
        .next_page = (char *)ask->next_page,
        .problem = (char *)ask->problem,
    };
    PlatformQuestion question = {.method = ask->method, .owner = "o", .id = 42};
    size_t size = ask->size > 0 ? ask->size : ask->text ? strlen(ask->text) : 0;
    PlatformAnswer answer;

    if (size > 0)
        assert_int_equal(buffer_append(&http.body, ask->text, size), 0);
    assert_int_equal(platform_read(&question, &http, &answer), 0);
    assert_int_equal(answer.retry_after, ask->retry_after);
    assert_true(answer.problem || answer.outcome == PLATFORM_DONE);
    assert_true(!answer.problem || (*answer.problem && !strchr(answer.problem, '\n')));
    buffer_deinit(&http.body);
    return answer;
}

void ask_assert_outcome(const Ask *ask, PlatformOutcome expected)
{
    PlatformAnswer answer = ask_read(ask);

    if (answer.outcome != expected)
        fail_msg("method %d, status %d, body %s, retry after %llu: outcome %d, not %d", ask->method,
                 ask->status, ask->text, (unsigned long long)ask->retry_after, answer.outcome,
                 expected);
    platform_answer_deinit(&answer);
}
