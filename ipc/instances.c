#include "ipc/instances.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "ipc/access.h"

/* ---- members ---- */

static void instances_write_time(JsonWriter *json, const char *key, usec_t time)
{
    if (time == 0)
        return;
    json_writer_key(json, key);
    json_writer_uint(json, time);
}

static void instances_write_text(JsonWriter *json, const char *key, const char *text)
{
    json_writer_key(json, key);
    json_writer_string(json, text);
}

static void instances_write_problem(JsonWriter *json, const Served *served)
{
    if (served->problem)
        instances_write_text(json, "problem", served->problem->words);
}

static void instances_write_kind(JsonWriter *json, const Served *served)
{
    if (!served->problem || served->problem->trouble == TROUBLE_NONE)
        return;
    instances_write_text(json, "problemKind", trouble_name(served->problem->trouble));
    instances_write_time(json, "problemSinceUSec", served->problem->since);
}

/* ---- without a token ---- */

static int instances_answer_not_ready(Call *call)
{
    const Served *served = call->served;
    VarlinkWriter writer;

    varlink_begin_error(&writer, call->reply, INSTANCES_NOT_READY);
    instances_write_text(&writer.json, "instance", served->name);
    instances_write_text(&writer.json, "state", served_state_name(served->state));
    instances_write_time(&writer.json, "retryUSec", served->retry);
    instances_write_problem(&writer.json, served);
    return call_end_reply(&writer);
}

static int instances_answer_failed(Call *call)
{
    const Served *served = call->served;
    VarlinkWriter writer;

    varlink_begin_error(&writer, call->reply, INSTANCES_FAILED);
    instances_write_text(&writer.json, "instance", served->name);
    instances_write_text(&writer.json, "problem",
                         served->problem ? served->problem->words : "the reason is not known");
    return call_end_reply(&writer);
}

static int instances_answer_without(Call *call)
{
    if (call->served->state == SERVED_FAILED)
        return instances_answer_failed(call);
    if (call->timeout > 0)
        return call_wait(call, &call->served->waits);
    return instances_answer_not_ready(call);
}

/* ---- GetToken ---- */

/* The answer is made once a token, and copied from then on. */
static int instances_make_token_reply(Served *served)
{
    _cleanup_(buffer_deinit) Buffer reply = BUFFER_INIT(REPLY_BYTES_MAX);
    VarlinkWriter writer;
    int r;

    varlink_begin_reply(&writer, &reply, false);
    json_writer_key(&writer.json, "token");
    json_writer_secret(&writer.json, served->token);
    json_writer_key(&writer.json, "id");
    json_writer_int(&writer.json, served->id);
    instances_write_time(&writer.json, "verifiedUSec", served->verified);
    r = call_end_reply(&writer);
    return r != 0 ? r : secret_new_take(&reply, &served->token_reply);
}

int instances_get_token(Call *call)
{
    Served *served = call->served;
    int r;

    if (!served->token)
        return instances_answer_without(call);
    if (!served->token_reply) {
        r = instances_make_token_reply(served);
        if (r != 0)
            return r;
    }
    r = buffer_append(call->reply, secret_reveal(served->token_reply),
                      secret_size(served->token_reply));
    return r == BUFFER_E_FULL ? CALL_E_FULL : r;
}

/* ---- GetAuthorization ---- */

int instances_format_authorization(const Served *served, Buffer *buffer)
{
    const struct {
        const char *word;
        const Secret *secret;
    } parts[] = {
        {"User ", served->terms->user},
        {", Organization ", served->terms->organization},
        {", Element ", served->token},
    };

    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        int r = buffer_append_string(buffer, parts[i].word);

        if (r == 0)
            r = buffer_append(buffer, secret_reveal(parts[i].secret), secret_size(parts[i].secret));
        if (r != 0)
            return r;
    }
    return 0;
}

int instances_get_authorization(Call *call)
{
    const Served *served = call->served;
    _cleanup_(buffer_deinit) Buffer authorization = BUFFER_INIT(REPLY_BYTES_MAX);
    VarlinkWriter writer;
    int r;

    if (!served->token || !served->terms->user || !served->terms->organization)
        return instances_answer_without(call);
    r = instances_format_authorization(served, &authorization);
    if (r != 0)
        return r == BUFFER_E_FULL ? CALL_E_FULL : r;
    call_begin_reply(call, &writer);
    json_writer_key(&writer.json, "authorization");
    json_writer_text(&writer.json, buffer_data(&authorization), buffer_size(&authorization));
    return call_end_reply(&writer);
}

/* ---- ReportRejected ---- */

int instances_report_rejected(Call *call)
{
    const JsonValue *token = call->arguments[1];

    call->shared->operations->report_rejected(call->shared->userdata, call->served, token->text,
                                              token->size);
    return call_answer_empty(call);
}

/* ---- ListInstances ---- */

void instances_write(JsonWriter *json, const Served *served)
{
    json_writer_open_object(json);
    instances_write_text(json, "name", served->name);
    instances_write_text(json, "element", served_element(served));
    instances_write_text(json, "account", served->terms->account);
    instances_write_text(json, "state", served_state_name(served->state));
    if (served->id != 0) {
        json_writer_key(json, "id");
        json_writer_int(json, served->id);
    }
    json_writer_key(json, "hasToken");
    json_writer_boolean(json, served->token != NULL);
    json_writer_key(json, "sinceUSec");
    json_writer_uint(json, served->since);
    instances_write_time(json, "verifiedUSec", served->verified);
    instances_write_time(json, "retryUSec", served->retry);
    json_writer_key(json, "attempts");
    json_writer_uint(json, served->attempts);
    instances_write_problem(json, served);
    instances_write_kind(json, served);
    json_writer_close_object(json);
}

int instances_check_visible(Call *call, const Served *served)
{
    int r;

    if (served->is_removed)
        return ACCESS_E_DENIED;
    r = access_check(&served->terms->allow, call->peer, NULL);
    if (r == ACCESS_E_DENIED)
        r = access_check(&served->terms->allow_authorization, call->peer, NULL);
    return r;
}

/* `size` bytes more of the reply, if it may have them. */
static int instances_put(Call *call, const char *text, size_t size)
{
    int r = buffer_append(call->reply, text, size);

    return r == BUFFER_E_FULL ? CALL_E_FULL : r;
}

static int instances_write_row(Call *call, const Served *served)
{
    JsonWriter json;
    int r;

    if (call->list.has_rows) {
        r = instances_put(call, ",", 1);
        if (r != 0)
            return r;
    }
    call->list.has_rows = true;
    json_writer_begin(&json, call->reply);
    instances_write(&json, served);
    r = json_writer_end(&json);
    if (r == JSON_WRITER_E_FULL)
        return CALL_E_FULL;
    return r == JSON_WRITER_E_TEXT ? -EINVAL : r;
}

/* As many rows as others may be kept waiting for; what is left is in `call->list`. */
static int instances_write_rows(Call *call)
{
    const CallShared *shared = call->shared;
    CallList *list = &call->list;

    for (int n = 0; list->next && n < TURN_LOOKS_MAX; n++) {
        int r = instances_check_visible(call, list->next);

        if (r == 0)
            r = instances_write_row(call, list->next);
        if (r != 0 && r != ACCESS_E_DENIED)
            return r;
        list->next = shared->operations->next(shared->userdata, list->next);
    }
    return 0;
}

/* The reply is written by hand where it may be cut: the writer's state would have to outlive the turn. */
static int instances_write_piece(Call *call)
{
    static const char head[] = "{\"parameters\":{\"instances\":[", tail[] = "]}}";
    size_t before = buffer_size(call->reply);
    int r = 0;

    if (call->message) {
        call->list.next = call->shared->operations->next(call->shared->userdata, NULL);
        r = instances_put(call, head, strlen(head));
    }
    if (r == 0)
        r = instances_write_rows(call);
    if (r == 0 && !call->list.next)
        r = instances_put(call, tail, sizeof(tail)); /* with the message's NUL */
    if (r == 0) {
        call->list.size += buffer_size(call->reply) - before;
        if (call->list.size > REPLY_BYTES_MAX)
            r = CALL_E_FULL;
    }
    if (r != 0)
        buffer_truncate(call->reply, before);
    return r;
}

int instances_list(Call *call)
{
    int r = instances_write_piece(call);

    return r == 0 && call->list.next ? call_continue_list(call) : r;
}
