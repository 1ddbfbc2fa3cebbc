#include "tests/sandbox/fault_action.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/sandbox/base64.h"

/* ---- parameters ---- */

#define FAULT_AT(member) offsetof(FaultParameters, member)

#define FAULT_DAY_MS 86400000

static const char *const fault_action_when[] = {"before", "after", NULL};
static const char *const fault_action_how[] = {"reset", "close", "hang", NULL};

static const Field fault_action_no_fields[] = {{}};

static const Field fault_action_delay_fields[] = {
    {"ms", FIELD_INT, true, FAULT_AT(ms), 0, FAULT_DAY_MS, NULL},
    {},
};

static const Field fault_action_end_fields[] = {
    {"when", FIELD_CHOICE, false, FAULT_AT(when), 0, 0, fault_action_when},
    {},
};

static const Field fault_action_late_fields[] = {
    {"ms", FIELD_INT, true, FAULT_AT(ms), 0, FAULT_DAY_MS, NULL},
    {"how", FIELD_CHOICE, false, FAULT_AT(how), 0, 0, fault_action_how},
    {},
};

static const Field fault_action_status_fields[] = {
    {"status", FIELD_INT, true, FAULT_AT(status), 100, 999, NULL},
    {"commit", FIELD_BOOL, false, FAULT_AT(is_committed), 0, 0, NULL},
    {"body", FIELD_STRING, false, FAULT_AT(text), 0, 0, NULL},
    {"base64", FIELD_TEXT, false, FAULT_AT(base64), 0, 0, NULL},
    {"message", FIELD_TEXT, false, FAULT_AT(message), 0, 0, NULL},
    {"providerMessage", FIELD_TEXT, false, FAULT_AT(provider_message), 0, 0, NULL},
    {"contentType", FIELD_TEXT, false, FAULT_AT(content_type), 0, 0, NULL},
    {"headers", FIELD_OBJECT, false, FAULT_AT(headers), 0, 0, NULL},
    {"retry-after", FIELD_SCALAR, false, FAULT_AT(value), 0, 0, NULL},
    {},
};

static const Field fault_action_retry_fields[] = {
    {"value", FIELD_SCALAR, true, FAULT_AT(value), 0, 0, NULL},
    {},
};

static const Field fault_action_body_fields[] = {
    {"text", FIELD_STRING, false, FAULT_AT(text), 0, 0, NULL},
    {"base64", FIELD_TEXT, false, FAULT_AT(base64), 0, 0, NULL},
    {"size", FIELD_INT, false, FAULT_AT(size), 0, FAULT_BYTES_MAX, NULL},
    {"contentType", FIELD_TEXT, false, FAULT_AT(content_type), 0, 0, NULL},
    {"headers", FIELD_OBJECT, false, FAULT_AT(headers), 0, 0, NULL},
    {},
};

static const Field fault_action_garbage_fields[] = {
    {"text", FIELD_STRING, false, FAULT_AT(text), 0, 0, NULL},
    {"base64", FIELD_TEXT, false, FAULT_AT(base64), 0, 0, NULL},
    {"size", FIELD_INT, false, FAULT_AT(size), 0, FAULT_BYTES_MAX, NULL},
    {"when", FIELD_CHOICE, false, FAULT_AT(when), 0, 0, fault_action_when},
    {},
};

static const Field fault_action_redirect_fields[] = {
    {"location", FIELD_TEXT, true, FAULT_AT(location), 0, 0, NULL},
    {"status", FIELD_INT, false, FAULT_AT(status), 300, 399, NULL},
    {},
};

static const Field fault_action_truncate_fields[] = {
    {"bytes", FIELD_INT, true, FAULT_AT(bytes), 0, INT64_MAX, NULL},
    {},
};

static const Field fault_action_chunked_fields[] = {
    {"size", FIELD_INT, false, FAULT_AT(size), 1, INT64_MAX, NULL},
    {"omitLast", FIELD_BOOL, false, FAULT_AT(is_last_omitted), 0, 0, NULL},
    {},
};

static const Field fault_action_huge_fields[] = {
    {"mib", FIELD_INT, true, FAULT_AT(mib), 1, 1024 * 1024, NULL},
    {},
};

static const Field fault_action_slow_fields[] = {
    {"bytesPerSec", FIELD_INT, true, FAULT_AT(bytes_per_sec), 1, INT32_MAX, NULL},
    {},
};

static const Field fault_action_token_fields[] = {
    {"text", FIELD_STRING, false, FAULT_AT(text), 0, 0, NULL},
    {"base64", FIELD_TEXT, false, FAULT_AT(base64), 0, 0, NULL},
    {"raw", FIELD_TEXT, false, FAULT_AT(raw), 0, 0, NULL},
    {"size", FIELD_INT, false, FAULT_AT(size), 1, FAULT_BYTES_MAX, NULL},
    {},
};

static const Field fault_action_id_fields[] = {
    {"raw", FIELD_TEXT, true, FAULT_AT(raw), 0, 0, NULL},
    {},
};

/* ---- content ---- */

static int fault_action_fail(FieldsError *error, const char *message)
{
    (void)snprintf(error->message, sizeof(error->message), "%s", message);
    return FIELDS_E_INVALID;
}

static int fault_action_fill(Buffer *content, size_t size)
{
    char *space;

    if (buffer_reserve(content, size, &space) != 0)
        return -ENOMEM;
    memset(space, 'A', size);
    buffer_commit(content, size);
    return 0;
}

/* At most one source. Those not given leave the content empty. */
static int fault_action_prepare_bytes(FaultParameters *parameters, FieldsError *ret_error)
{
    int n = (parameters->text != NULL) + (parameters->base64 != NULL) + (parameters->size > 0);
    int r = 0;

    if (n > 1)
        return fault_action_fail(ret_error, "Only one of text, base64, raw and size can be given");
    if (parameters->text)
        r = buffer_append(&parameters->content, parameters->text->text, parameters->text->size);
    if (parameters->base64)
        r = base64_parse(parameters->base64, strlen(parameters->base64), &parameters->content);
    if (parameters->base64 && r == BASE64_E_MALFORMED)
        return fault_action_fail(ret_error, "\"base64\" is malformed");
    if (parameters->size > 0)
        r = fault_action_fill(&parameters->content, (size_t)parameters->size);
    parameters->has_content = n == 1;
    return r == 0 ? 0 : -ENOMEM;
}

static int fault_action_prepare_body(FaultParameters *parameters, FieldsError *ret_error)
{
    parameters->status = 200;
    parameters->is_committed = true;
    parameters->value = NULL;
    /* Without any of them the body is empty. */
    return fault_action_prepare_bytes(parameters, ret_error);
}

/* The text of the token's JSON value, with its quotes. */
static int fault_action_prepare_token(FaultParameters *parameters, FieldsError *ret_error)
{
    JsonWriter writer;
    int r;

    if (parameters->raw) {
        if (parameters->text || parameters->base64 || parameters->size > 0)
            return fault_action_fail(ret_error,
                                     "Only one of text, base64, raw and size can be given");
        return buffer_append_string(&parameters->content, parameters->raw) == 0 ? 0 : -ENOMEM;
    }
    if (parameters->text) {
        if (parameters->base64 || parameters->size > 0)
            return fault_action_fail(ret_error,
                                     "Only one of text, base64, raw and size can be given");
        json_writer_begin(&writer, &parameters->content);
        json_writer_text(&writer, parameters->text->text, parameters->text->size);
        return json_writer_end(&writer) == 0 ? 0 : -ENOMEM;
    }
    r = buffer_append_string(&parameters->content, "\"");
    if (r == 0)
        r = fault_action_prepare_bytes(parameters, ret_error);
    if (r == 0 && !parameters->has_content)
        return fault_action_fail(ret_error, "One of text, base64, raw and size must be given");
    if (r == 0)
        r = buffer_append_string(&parameters->content, "\"");
    return r == 0 || r == FIELDS_E_INVALID ? r : -ENOMEM;
}

/* ---- effects ---- */

static void fault_action_apply_delay(const FaultParameters *parameters, FaultPlan *plan)
{
    plan->delay = (usec_t)parameters->ms * USEC_PER_MSEC;
}

static void fault_action_apply_delay_after(const FaultParameters *parameters, FaultPlan *plan)
{
    plan->delay_after = (usec_t)parameters->ms * USEC_PER_MSEC;
}

static void fault_action_end(const FaultParameters *parameters, FaultPlan *plan, FaultEnd end)
{
    if (parameters->when == 0)
        plan->before = end;
    else
        plan->after = end;
}

static void fault_action_apply_hang(const FaultParameters *parameters, FaultPlan *plan)
{
    fault_action_end(parameters, plan, FAULT_END_HANG);
}

static void fault_action_apply_reset(const FaultParameters *parameters, FaultPlan *plan)
{
    fault_action_end(parameters, plan, FAULT_END_RESET);
}

static void fault_action_apply_close(const FaultParameters *parameters, FaultPlan *plan)
{
    fault_action_end(parameters, plan, FAULT_END_CLOSE);
}

static void fault_action_apply_late(const FaultParameters *parameters, FaultPlan *plan)
{
    static const FaultEnd ends[] = {FAULT_END_RESET, FAULT_END_CLOSE, FAULT_END_HANG};

    plan->late = ends[parameters->how];
    plan->late_delay = (usec_t)parameters->ms * USEC_PER_MSEC;
}

static void fault_action_apply_retry(const FaultParameters *parameters, FaultPlan *plan)
{
    if (parameters->value)
        (void)http_answer_add_header(&plan->delivery, "Retry-After", parameters->value->text);
}

static void fault_action_apply_status(const FaultParameters *parameters, FaultPlan *plan)
{
    plan->status = (unsigned)parameters->status;
    plan->is_refused = !parameters->is_committed;
    plan->message = parameters->message;
    plan->provider_message = parameters->provider_message;
    plan->delivery.content_type = parameters->content_type;
    if (parameters->has_content)
        plan->body = &parameters->content;
    if (parameters->headers)
        JSON_VALUE_FOREACH(header, parameters->headers)
            if (header->text)
                (void)http_answer_add_header(&plan->delivery, header->key, header->text);
    fault_action_apply_retry(parameters, plan);
}

static void fault_action_apply_body(const FaultParameters *parameters, FaultPlan *plan)
{
    fault_action_apply_status(parameters, plan);
    plan->body = &parameters->content;
}

static void fault_action_apply_garbage(const FaultParameters *parameters, FaultPlan *plan)
{
    static char noise[] = "\x16\x03\x01 SSH-2.0-not_http\r\n\x80\xff\xfe\r\n\r\n";
    static const Buffer otherwise = {
        .memory = noise, .capacity = sizeof(noise), .end = sizeof(noise) - 1, .max = sizeof(noise)};

    plan->is_refused = parameters->when == 0;
    plan->delivery.is_raw = true;
    plan->body = parameters->has_content ? &parameters->content : &otherwise;
}

static void fault_action_apply_redirect(const FaultParameters *parameters, FaultPlan *plan)
{
    static const Buffer empty = {};

    plan->status = parameters->status > 0 ? (unsigned)parameters->status : 302;
    plan->is_refused = true;
    plan->body = &empty;
    (void)http_answer_add_header(&plan->delivery, "Location", parameters->location);
}

static void fault_action_apply_truncate(const FaultParameters *parameters, FaultPlan *plan)
{
    plan->delivery.is_truncated = true;
    plan->delivery.send_max = (size_t)parameters->bytes;
}

static void fault_action_apply_chunked(const FaultParameters *parameters, FaultPlan *plan)
{
    plan->delivery.is_chunked = true;
    plan->delivery.is_last_chunk_omitted = parameters->is_last_omitted;
    plan->delivery.chunk_size = (size_t)parameters->size;
}

static void fault_action_apply_huge(const FaultParameters *parameters, FaultPlan *plan)
{
    plan->delivery.filler = (uint64_t)parameters->mib * 1024 * 1024;
}

static void fault_action_apply_slow(const FaultParameters *parameters, FaultPlan *plan)
{
    plan->delivery.bytes_per_sec = (uint64_t)parameters->bytes_per_sec;
}

static void fault_action_apply_omit_token(const FaultParameters *parameters, FaultPlan *plan)
{
    (void)parameters;
    plan->view.is_token_omitted = true;
}

static void fault_action_apply_token(const FaultParameters *parameters, FaultPlan *plan)
{
    plan->view.raw_token = buffer_data(&parameters->content);
    plan->view.raw_token_size = buffer_size(&parameters->content);
}

static void fault_action_apply_id(const FaultParameters *parameters, FaultPlan *plan)
{
    plan->view.raw_id = parameters->raw;
}

static void fault_action_apply_tags(const FaultParameters *parameters, FaultPlan *plan)
{
    (void)parameters;
    plan->view.is_tags_as_objects = true;
}

static void fault_action_apply_broken(const FaultParameters *parameters, FaultPlan *plan)
{
    (void)parameters;
    plan->view.is_description_broken = true;
}

static void fault_action_apply_page(const FaultParameters *parameters, FaultPlan *plan)
{
    (void)parameters;
    plan->view.is_page_repeated = true;
}

/* ---- the table ---- */

#define NONE fault_action_no_fields

static const FaultAction fault_actions[] = {
    {"delay", FAULT_GROUP_DELAY, fault_action_delay_fields, NULL, fault_action_apply_delay},
    {"delay-after", FAULT_GROUP_DELAY_AFTER, fault_action_delay_fields, NULL,
     fault_action_apply_delay_after},
    {"hang", FAULT_GROUP_OUTCOME, fault_action_end_fields, NULL, fault_action_apply_hang},
    {"reset", FAULT_GROUP_OUTCOME, fault_action_end_fields, NULL, fault_action_apply_reset},
    {"close", FAULT_GROUP_OUTCOME, fault_action_end_fields, NULL, fault_action_apply_close},
    {"late-commit", FAULT_GROUP_OUTCOME, fault_action_late_fields, NULL, fault_action_apply_late},
    {"status", FAULT_GROUP_OUTCOME, fault_action_status_fields, fault_action_prepare_bytes,
     fault_action_apply_status},
    {"body", FAULT_GROUP_OUTCOME, fault_action_body_fields, fault_action_prepare_body,
     fault_action_apply_body},
    {"garbage", FAULT_GROUP_OUTCOME, fault_action_garbage_fields, fault_action_prepare_bytes,
     fault_action_apply_garbage},
    {"redirect", FAULT_GROUP_OUTCOME, fault_action_redirect_fields, NULL,
     fault_action_apply_redirect},
    {"retry-after", FAULT_GROUP_HEADER, fault_action_retry_fields, NULL, fault_action_apply_retry},
    {"truncate", FAULT_GROUP_LENGTH, fault_action_truncate_fields, NULL,
     fault_action_apply_truncate},
    {"chunked", FAULT_GROUP_CODING, fault_action_chunked_fields, NULL, fault_action_apply_chunked},
    {"huge", FAULT_GROUP_FILLER, fault_action_huge_fields, NULL, fault_action_apply_huge},
    {"slow", FAULT_GROUP_RATE, fault_action_slow_fields, NULL, fault_action_apply_slow},
    {"omit-token", FAULT_GROUP_TOKEN, NONE, NULL, fault_action_apply_omit_token},
    {"token", FAULT_GROUP_TOKEN, fault_action_token_fields, fault_action_prepare_token,
     fault_action_apply_token},
    {"id", FAULT_GROUP_ID, fault_action_id_fields, NULL, fault_action_apply_id},
    {"tags-objects", FAULT_GROUP_TAGS, NONE, NULL, fault_action_apply_tags},
    {"broken-json", FAULT_GROUP_DESCRIPTION, NONE, NULL, fault_action_apply_broken},
    {"repeat-page", FAULT_GROUP_PAGE, NONE, NULL, fault_action_apply_page},
};

#undef NONE

const FaultAction *fault_action_find(const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(fault_actions); i++)
        if (strcmp(fault_actions[i].name, name) == 0)
            return &fault_actions[i];
    return NULL;
}

void fault_action_list(char *ret_names, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < N_ELEMENTS(fault_actions) && used < size; i++)
        used += (size_t)snprintf(ret_names + used, size - used, "%s%s", i > 0 ? " " : "",
                                 fault_actions[i].name);
}
