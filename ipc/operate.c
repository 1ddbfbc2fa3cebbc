#include "ipc/operate.h"

#include <assert.h>

#include "base/limits.h"

/* NULL is left out. */
static void operate_write_text(JsonWriter *json, const char *key, const char *text)
{
    if (!text)
        return;
    json_writer_key(json, key);
    json_writer_string(json, text);
}

/* ---- Reload ---- */

static void operate_write_names(JsonWriter *json, const char *key, const char *const *names)
{
    json_writer_key(json, key);
    json_writer_open_array(json);
    for (; *names; names++)
        json_writer_string(json, *names);
    json_writer_close_array(json);
}

static void operate_write_problem(JsonWriter *json, const ServedProblem *problem)
{
    json_writer_open_object(json);
    operate_write_text(json, "file", problem->file);
    json_writer_key(json, "line");
    json_writer_uint(json, problem->line);
    json_writer_key(json, "column");
    json_writer_uint(json, problem->column);
    operate_write_text(json, "message", problem->message);
    json_writer_close_object(json);
}

static int operate_answer_applied(Call *call, const ServedReload *reload)
{
    VarlinkWriter writer;

    call_begin_reply(call, &writer);
    operate_write_names(&writer.json, "added", reload->added);
    operate_write_names(&writer.json, "changed", reload->changed);
    operate_write_names(&writer.json, "removed", reload->removed);
    return call_end_reply(&writer);
}

static int operate_answer_invalid(Call *call, const ServedProblem *problems, size_t n)
{
    VarlinkWriter writer;

    varlink_begin_error(&writer, call->reply, OPERATE_INVALID_CONFIGURATION);
    json_writer_key(&writer.json, "problems");
    json_writer_open_array(&writer.json);
    for (size_t i = 0; i < n; i++)
        operate_write_problem(&writer.json, &problems[i]);
    return call_end_list(&writer);
}

/* It stands at no place of any file: at the begin of them all. */
static int operate_answer_late(Call *call)
{
    static const ServedProblem late = {
        .file = "/etc/elementd",
        .line = 1,
        .column = 1,
        .message =
            "the reload was not over in time, or elementd was stopped before it was; what came of it: "
            "journalctl -u elementd",
    };

    return operate_answer_invalid(call, &late, 1);
}

int operate_reload(Call *call)
{
    const ServerOperations *operations = call->shared->operations;
    void *userdata = call->shared->userdata;
    const ServedReload *reload;

    if (call->message) {
        call->reload = operations->reload(userdata);
        call->timeout = RELOAD_WAIT_USEC;
    }
    reload = operations->find_reload(userdata, call->reload);
    if (!reload)
        return call->timeout > 0 ? call_wait(call, &call->shared->reloads)
                                 : operate_answer_late(call);
    if (reload->is_applied)
        return operate_answer_applied(call, reload);
    return operate_answer_invalid(call, reload->problems, reload->n_problems);
}

/* ---- Retry ---- */

int operate_retry(Call *call)
{
    call->shared->operations->retry(call->shared->userdata, call->served);
    return call_answer_empty(call);
}

/* ---- ListOrphans ---- */

static const char *operate_reason_name(ServedOrphanReason reason)
{
    switch (reason) {
    case SERVED_ORPHAN_REMOVED:
        return "removed";
    case SERVED_ORPHAN_REPLACED:
        return "replaced";
    case SERVED_ORPHAN_DUPLICATE:
        return "duplicate";
    case SERVED_ORPHAN_UNCLAIMED:
        return "unclaimed";
    }
    assert(false);
    return NULL;
}

static void operate_write_orphan(JsonWriter *json, const ServedOrphan *orphan)
{
    json_writer_open_object(json);
    json_writer_key(json, "id");
    json_writer_int(json, orphan->id);
    operate_write_text(json, "url", orphan->url);
    operate_write_text(json, "account", orphan->account);
    operate_write_text(json, "element", orphan->element);
    operate_write_text(json, "instance", orphan->instance);
    operate_write_text(json, "reason", operate_reason_name(orphan->reason));
    json_writer_key(json, "sinceUSec");
    json_writer_uint(json, orphan->since);
    json_writer_key(json, "isDeleting");
    json_writer_boolean(json, orphan->is_deleting);
    operate_write_text(json, "problem", orphan->problem);
    json_writer_close_object(json);
}

int operate_list_orphans(Call *call)
{
    const CallShared *shared = call->shared;
    VarlinkWriter writer;
    ServedOrphan orphan;

    call_begin_list(call, &writer, "orphans");
    for (size_t i = 0; shared->operations->find_orphan(shared->userdata, i, &orphan); i++)
        operate_write_orphan(&writer.json, &orphan);
    return call_end_list(&writer);
}
