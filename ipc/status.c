#include "ipc/status.h"

#include "ipc/access.h"
#include "ipc/instances.h"
#include "ipc/wait.h"

static void status_write_text(JsonWriter *json, const char *key, const char *text)
{
    json_writer_key(json, key);
    json_writer_string(json, text);
}

static void status_write_time(JsonWriter *json, const char *key, usec_t time)
{
    if (time == 0)
        return;
    json_writer_key(json, key);
    json_writer_uint(json, time);
}

/* ---- units ---- */

static void status_write_unit(JsonWriter *json, const Served *served, const Wait *wait)
{
    usec_t realtime = clock_realtime(), now = clock_boottime();

    json_writer_open_object(json);
    status_write_text(json, "unit", wait->unit);
    status_write_text(json, "credential", wait->credential);
    status_write_text(json, "instance", served->name);
    json_writer_key(json, "sinceUSec");
    json_writer_uint(json, realtime - (now - wait->begin));
    json_writer_key(json, "untilUSec");
    json_writer_uint(json, wait->end > now ? clock_add(realtime, wait->end - now) : realtime);
    json_writer_close_object(json);
}

/* Those that wait for one instance: they come before all calls (ipc/wait.h). CREDENTIALS_MAX at most, of all instances. */
static int status_write_units_of(Call *call, JsonWriter *json, const Served *served)
{
    const Wait *wait = TAILQ_FIRST(&served->waits);
    int r;

    if (!wait || !wait->unit)
        return 0;
    r = instances_check_visible(call, served);
    if (r != 0)
        return r == ACCESS_E_DENIED ? 0 : r;
    for (; wait && wait->unit; wait = TAILQ_NEXT(wait, link))
        status_write_unit(json, served, wait);
    return 0;
}

static int status_write_units(Call *call, JsonWriter *json)
{
    const CallShared *shared = call->shared;
    const Served *served = NULL;
    int r = 0;

    json_writer_key(json, "waitingUnits");
    json_writer_open_array(json);
    while (r == 0 && (served = shared->operations->next(shared->userdata, served)))
        r = status_write_units_of(call, json, served);
    json_writer_close_array(json);
    return r;
}

/* ---- troubles ---- */

static void status_write_trouble(JsonWriter *json, const ServedTrouble *trouble)
{
    json_writer_open_object(json);
    status_write_text(json, "kind", trouble_name(trouble->trouble));
    if (trouble->account)
        status_write_text(json, "account", trouble->account);
    status_write_text(json, "problem", trouble->problem);
    status_write_time(json, "sinceUSec", trouble->since);
    status_write_time(json, "retryUSec", trouble->retry);
    json_writer_close_object(json);
}

int status_get(Call *call)
{
    const CallShared *shared = call->shared;
    bool is_root = access_is_root(call->peer);
    ServedTrouble trouble;
    VarlinkWriter writer;
    int r;

    call_begin_list(call, &writer, "troubles");
    for (size_t i = 0; shared->operations->find_trouble(shared->userdata, i, &trouble); i++)
        if (trouble.trouble != TROUBLE_NONE && (is_root || !trouble.is_private))
            status_write_trouble(&writer.json, &trouble);
    json_writer_close_array(&writer.json);
    r = status_write_units(call, &writer.json);
    return r < 0 ? r : call_end_reply(&writer);
}
