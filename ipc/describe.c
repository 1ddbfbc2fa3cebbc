#include "ipc/describe.h"

#include <assert.h>
#include <string.h>

#include "base/limits.h"

#define DESCRIBE_ACCOUNT_DEFAULT "default"

static int describe_answer_keys(Call *call, const ServedDescription *description)
{
    VarlinkWriter writer;

    call_begin_list(call, &writer, "keys");
    for (size_t i = 0; i < description->n_keys; i++) {
        const ServedElementKey *key = &description->keys[i];

        json_writer_open_object(&writer.json);
        json_writer_key(&writer.json, "name");
        json_writer_string(&writer.json, key->name);
        json_writer_key(&writer.json, "isRequired");
        json_writer_boolean(&writer.json, key->is_required);
        json_writer_key(&writer.json, "isSecret");
        json_writer_boolean(&writer.json, key->is_secret);
        if (key->default_value) {
            json_writer_key(&writer.json, "default");
            json_writer_string(&writer.json, key->default_value);
        }
        json_writer_close_object(&writer.json);
    }
    return call_end_list(&writer);
}

static int describe_answer_unavailable(Call *call, const char *problem, usec_t retry)
{
    VarlinkWriter writer;

    varlink_begin_error(&writer, call->reply, DESCRIBE_UNAVAILABLE);
    json_writer_key(&writer.json, "problem");
    json_writer_string(&writer.json, problem);
    if (retry > 0) {
        json_writer_key(&writer.json, "retryUSec");
        json_writer_uint(&writer.json, retry);
    }
    return call_end_reply(&writer);
}

static int describe_answer(Call *call, const ServedDescription *description)
{
    switch (description->result) {
    case SERVED_DESCRIBED:
        return describe_answer_keys(call, description);
    case SERVED_DESCRIPTION_NO_ACCOUNT:
        return call_error_about(call, DESCRIBE_NO_SUCH_ACCOUNT, "account", description->account,
                                strlen(description->account));
    case SERVED_DESCRIPTION_NO_ELEMENT:
        return call_error_about(call, DESCRIBE_NO_SUCH_ELEMENT, "element", description->element,
                                strlen(description->element));
    case SERVED_DESCRIPTION_UNAVAILABLE:
        return describe_answer_unavailable(call, description->problem, description->retry);
    }
    assert(false);
    return 0;
}

/* What goes into a URL's path, where "." and ".." would be another one. */
static bool describe_is_name(const JsonValue *value)
{
    return value->size > 0 && value->size <= DESCRIBE_NAME_BYTES_MAX &&
           strcmp(value->text, ".") != 0 && strcmp(value->text, "..") != 0;
}

int describe_element(Call *call)
{
    const CallShared *shared = call->shared;
    const ServedDescription *description;
    int r;

    if (call->message) {
        const JsonValue *element = call->arguments[0], *account = call->arguments[1];

        for (size_t i = 0; i < 2; i++)
            if (call->arguments[i] && !describe_is_name(call->arguments[i]))
                return call_error_about(call, VARLINK_INVALID_PARAMETER, "parameter",
                                        call->arguments[i]->key, call->arguments[i]->key_size);
        assert(element); /* the table says that it is not optional */
        call->timeout = DESCRIBE_WAIT_USEC;
        call->description = shared->operations->describe(
            shared->userdata, element->text, account ? account->text : DESCRIBE_ACCOUNT_DEFAULT);
        if (call->description == 0)
            return describe_answer_unavailable(
                call, "too many questions about elements wait for an answer already", 0);
    }
    description = shared->operations->find_description(shared->userdata, call->description);
    if (!description && call->timeout > 0)
        return call_wait(call, &call->shared->descriptions);
    if (description)
        r = describe_answer(call, description);
    else
        r = describe_answer_unavailable(
            call, "it did not answer in time, or elementd was stopped before it did", 0);
    call_end(call);
    return r;
}
