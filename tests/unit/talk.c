#include "tests/unit/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

Talk talk;
static char talk_unit[] = "a.service"; /* of whoever asks */

void talk_on_change(Wait *wait)
{
    assert_ptr_equal(session_of_wait(wait), &talk.session);
    talk.n_changes++;
    session_answer_again(&talk.session, false);
    session_advance(&talk.session, TALK_NOW);
}

int talk_setup(void **state)
{
    (void)state;
    talk = (Talk){.peer = {.fd = -1,
                           .uid = 1000,
                           .gid = 1000,
                           .has_groups = true,
                           .unit = talk_unit,
                           .has_unit = true}};
    backend_init(&talk.backend);
    session_shared_init(&talk.shared, &backend_operations, &talk.backend);
    session_init(&talk.session, &talk.shared, &talk.peer, talk_on_change);
    return 0;
}

int talk_teardown(void **state)
{
    (void)state;
    session_deinit(&talk.session);
    session_shared_deinit(&talk.shared);
    backend_deinit(&talk.backend);
    return 0;
}

void talk_say_bytes(const char *data, size_t size)
{
    while (size > 0) {
        size_t room;
        char *space;

        assert_int_equal(session_need(&talk.session), SESSION_NEEDS_BYTES);
        assert_int_equal(session_reserve(&talk.session, &space, &room), 0);
        if (room > size)
            room = size;
        memcpy(space, data, room);
        session_commit(&talk.session, room);
        data += room;
        size -= room;
        session_advance(&talk.session, TALK_NOW);
    }
}

void talk_say(const char *text)
{
    talk_say_bytes(text, strlen(text) + 1);
}

void talk_expect_all(const char *const *texts, size_t n)
{
    Buffer *unsent = &talk.session.unsent;

    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(texts[i]) + 1;

        if (buffer_size(unsent) < size || memcmp(buffer_data(unsent), texts[i], size) != 0)
            fail_msg("\"%.*s\" instead of \"%s\"", (int)buffer_size(unsent), buffer_data(unsent),
                     texts[i]);
        buffer_consume(unsent, size);
    }
    if (buffer_size(unsent) > 0)
        fail_msg("\"%.*s\" besides", (int)buffer_size(unsent), buffer_data(unsent));
}

void talk_expect(const char *text)
{
    talk_expect_all(&text, 1);
}

void talk_expect_nothing(void)
{
    talk_expect_all(NULL, 0);
}

void talk_change(Served *served)
{
    call_shared_changed(&talk.shared.calls, served);
}

void talk_remove(Served *served)
{
    call_shared_removed(&talk.shared.calls, served);
}
