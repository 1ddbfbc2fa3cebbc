#include "ipc/call.h"

#include <assert.h>
#include <stdlib.h>

#include "base/limits.h"
#include "ipc/wait.h"

void call_shared_init(CallShared *shared, const ServerOperations *operations, void *userdata)
{
    *shared = (CallShared){.operations = operations, .userdata = userdata};
    TAILQ_INIT(&shared->reloads);
    TAILQ_INIT(&shared->descriptions);
    TAILQ_INIT(&shared->watches);
    TAILQ_INIT(&shared->lists);
    changes_init(&shared->changes);
}

void call_shared_deinit(CallShared *shared)
{
    assert(TAILQ_EMPTY(&shared->reloads) && TAILQ_EMPTY(&shared->descriptions) &&
           TAILQ_EMPTY(&shared->watches) && TAILQ_EMPTY(&shared->lists));
    changes_deinit(&shared->changes);
}

int call_wait(Call *call, WaitQueue *queue)
{
    call->queue = queue;
    return CALL_E_WAIT;
}

int call_begin_watch(Call *call, WaitQueue *queue)
{
    call->is_watch = true;
    return call_wait(call, queue);
}

int call_continue_list(Call *call)
{
    call->is_list = true;
    call->watch.is_behind = true;
    return call_wait(call, &call->shared->lists);
}

void call_end(Call *call)
{
    if (call->description != 0)
        call->shared->operations->forget_description(call->shared->userdata, call->description);
    call->description = 0;
    (void)secret_unref(call->watch.token);
    free(call->watch.told);
    call->watch = (CallWatch){};
}

bool call_has_room(const Buffer *replies)
{
    return buffer_size(replies) <= CONN_UNREAD_BYTES_MAX;
}

/* ---- news ---- */

void call_shared_changed(CallShared *shared, Served *served)
{
    served->token_reply = secret_unref(served->token_reply);
    changes_note(&shared->changes, served);
    wait_tell_all(&served->waits);
    wait_tell_all(&shared->watches);
}

/* No list goes on at an instance that is not there any more. */
static void call_leave_lists(CallShared *shared, const Served *served)
{
    Wait *wait;

    TAILQ_FOREACH(wait, &shared->lists, link) {
        CallList *list = &wait->call.list;

        if (list->next == served)
            list->next = shared->operations->next(shared->userdata, served);
    }
}

void call_shared_removed(CallShared *shared, Served *served)
{
    served->is_removed = true;
    served->token_reply = secret_unref(served->token_reply);
    wait_tell_all(&served->waits);
    assert(TAILQ_EMPTY(&served->waits));
    shared->leaving = served;
    wait_tell_all(&shared->watches);
    shared->leaving = NULL;
    call_leave_lists(shared, served);
    changes_remove(&shared->changes, served);
}

void call_shared_reloaded(CallShared *shared)
{
    wait_tell_all(&shared->reloads);
}

void call_shared_described(CallShared *shared)
{
    wait_tell_all(&shared->descriptions);
}

/* ---- replies ---- */

void call_begin_reply(Call *call, VarlinkWriter *writer)
{
    varlink_begin_reply(writer, call->reply, false);
}

int call_end_reply(VarlinkWriter *writer)
{
    int r = varlink_end(writer);

    return r == VARLINK_E_FULL ? CALL_E_FULL : r;
}

void call_begin_list(Call *call, VarlinkWriter *writer, const char *name)
{
    call_begin_reply(call, writer);
    json_writer_key(&writer->json, name);
    json_writer_open_array(&writer->json);
}

int call_end_list(VarlinkWriter *writer)
{
    json_writer_close_array(&writer->json);
    return call_end_reply(writer);
}

int call_answer_empty(Call *call)
{
    VarlinkWriter writer;

    call_begin_reply(call, &writer);
    return call_end_reply(&writer);
}

int call_error(Call *call, const char *error)
{
    VarlinkWriter writer;

    varlink_begin_error(&writer, call->reply, error);
    return call_end_reply(&writer);
}

int call_error_about(Call *call, const char *error, const char *name, const char *text, size_t size)
{
    VarlinkWriter writer;

    varlink_begin_error(&writer, call->reply, error);
    json_writer_key(&writer.json, name);
    json_writer_text(&writer.json, text, size);
    return call_end_reply(&writer);
}
