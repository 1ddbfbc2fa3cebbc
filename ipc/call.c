#include "ipc/call.h"

#include <assert.h>

void call_shared_init(CallShared *shared, const ServerOperations *operations, void *userdata)
{
    *shared = (CallShared){.operations = operations, .userdata = userdata};
    TAILQ_INIT(&shared->reloads);
}

void call_shared_deinit(CallShared *shared)
{
    assert(TAILQ_EMPTY(&shared->reloads));
}

int call_wait(Call *call, WaitQueue *queue)
{
    call->queue = queue;
    return CALL_E_WAIT;
}

void call_begin_reply(Call *call, VarlinkWriter *writer)
{
    varlink_begin_reply(writer, call->reply, false);
}

int call_end_reply(VarlinkWriter *writer)
{
    int r = varlink_end(writer);

    return r == VARLINK_E_FULL ? CALL_E_FULL : r;
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
