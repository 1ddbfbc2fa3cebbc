#include "ipc/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "ipc/access.h"
#include "ipc/instances.h"

/* ---- WatchToken ---- */

static int watch_write_token(Call *call)
{
    const Served *served = call->served;
    VarlinkWriter writer;

    varlink_begin_reply(&writer, call->reply, true);
    if (served->token) {
        json_writer_key(&writer.json, "token");
        json_writer_secret(&writer.json, served->token);
        json_writer_key(&writer.json, "id");
        json_writer_int(&writer.json, served->id);
    }
    return call_end_reply(&writer);
}

static bool watch_is_token_told(const CallWatch *watch, const Served *served)
{
    return watch->has_told && secret_equal(watch->token, served->token) &&
           (!served->token || watch->id == served->id);
}

int watch_token(Call *call)
{
    const Served *served = call->served;
    CallWatch *watch = &call->watch;
    int r;

    if (call->message)
        return call_begin_watch(call, &call->served->waits);
    watch->is_behind = !watch_is_token_told(watch, served) && !call_has_room(call->reply);
    if (watch->is_behind || watch_is_token_told(watch, served))
        return CALL_E_WAIT;
    r = watch_write_token(call);
    if (r != 0)
        return r;
    (void)secret_unref(watch->token);
    /* Another reference changes nothing of what it is. */
    watch->token = secret_ref((Secret *)served->token);
    watch->id = served->id;
    watch->has_told = true;
    return CALL_E_WAIT;
}

/* ---- WatchInstances ---- */

/* Lists those that are there and that no change was noted of, so that the watch finds them. 0 or -ENOMEM. */
static int watch_begin(Call *call)
{
    CallShared *shared = call->shared;
    Served *served = NULL;

    call->watch.told = calloc(1, sizeof(*call->watch.told));
    if (!call->watch.told)
        return -ENOMEM;
    while ((served = shared->operations->next(shared->userdata, served)))
        if (served->change == 0 && !served->is_removed)
            changes_note(&shared->changes, served);
    return 0;
}

static int watch_write_instance(Call *call, const Served *served)
{
    VarlinkWriter writer;

    varlink_begin_reply(&writer, call->reply, true);
    json_writer_key(&writer.json, "instance");
    instances_write(&writer.json, served);
    return call_end_reply(&writer);
}

/* The caller has been told of it, and would go on believing that it is there. */
static int watch_end_for(Call *call, const Served *served)
{
    return call_error_about(call, INSTANCES_NO_SUCH_INSTANCE, "instance", served->name,
                            strlen(served->name));
}

/* Tells of one, if the caller may know it. CALL_E_WAIT to go on; else as the method. */
static int watch_look_at(Call *call, const Served *served)
{
    CallWatch *watch = &call->watch;
    int r;

    r = instances_check_visible(call, served);
    if (r == ACCESS_E_DENIED && changes_set_has(watch->told, served))
        return watch_end_for(call, served);
    if (r == 0) {
        r = watch_write_instance(call, served);
        if (r != 0)
            return r;
        changes_set_add(watch->told, served);
    } else if (r < 0) {
        return r;
    }
    watch->seen = served->change;
    return CALL_E_WAIT;
}

int watch_instances(Call *call)
{
    const CallShared *shared = call->shared;
    CallWatch *watch = &call->watch;
    const Served *served;
    int r;

    if (call->message)
        return call_begin_watch(call, &call->shared->watches);
    if (!watch->told) {
        r = watch_begin(call);
        if (r < 0)
            return r;
    }
    if (shared->leaving && changes_set_has(watch->told, shared->leaving))
        return watch_end_for(call, shared->leaving);
    served = changes_find(&shared->changes, watch->seen);
    for (int n = 0; served && n < TURN_LOOKS_MAX && call_has_room(call->reply); n++) {
        r = watch_look_at(call, served);
        if (r != CALL_E_WAIT)
            return r;
        served = changes_next(served);
    }
    watch->is_behind = served != NULL;
    return CALL_E_WAIT;
}
