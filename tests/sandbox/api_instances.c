#include "tests/sandbox/api_instances.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "tests/sandbox/api_error.h"
#include "tests/sandbox/base64.h"
#include "tests/sandbox/query.h"

/* ---- listing ---- */

/* A page is named by the last id of the one before it; encoded so that a client must escape it in a URL. */
static char *api_instances_page_name(int64_t after)
{
    char text[32];
    int n = snprintf(text, sizeof(text), "after?%" PRId64, after);

    return base64_format(text, (size_t)n);
}

static bool api_instances_parse_page(const char *name, int64_t *ret_after)
{
    Buffer text = BUFFER_INIT(64);
    bool is_good;
    long long after = 0;

    is_good = strlen(name) < 64 && base64_parse(name, strlen(name), &text) == 0 &&
              buffer_append(&text, "", 1) == 0 &&
              sscanf(buffer_data(&text), "after?%lld", &after) == 1;
    buffer_deinit(&text);
    *ret_after = after;
    return is_good;
}

static bool api_instances_is_tag(const char *name)
{
    return strcmp(name, "tags[]") == 0 || strcmp(name, "tags") == 0;
}

/* 0 or API_CALL_E_REFUSED; `ret_listing` borrows from `query`. */
static int api_instances_parse_query(ApiCall *call, const Query *query, WorldQuery *ret_listing,
                                     int64_t *ret_rows, int64_t *ret_after)
{
    const char *size = query_find(query, "pageSize"), *page = query_find(query, "nextPage");
    const char *search = query_find(query, "searchText");
    char *end;
    long long rows = call->world->settings.page_max;

    *ret_listing = (WorldQuery){.account = call->account->id, .search = search};
    for (size_t i = 0; i < query->n_parameters; i++)
        if (api_instances_is_tag(query->parameters[i].name) &&
            ret_listing->n_tags < WORLD_QUERY_TAGS_MAX)
            ret_listing->tags[ret_listing->n_tags++] = query->parameters[i].value;
    if (size) {
        errno = 0;
        rows = strtoll(size, &end, 10);
        if (errno != 0 || end == size || *end || rows < 1)
            return api_call_refuse(call, 400, "The parameter 'pageSize' is invalid.");
        if (rows > call->world->settings.page_max)
            rows = call->world->settings.page_max;
    }
    *ret_after = INT64_MIN;
    if (page && !api_instances_parse_page(page, ret_after))
        return api_call_refuse(call, 400, "The parameter 'nextPage' is invalid.");
    *ret_rows = rows;
    return 0;
}

static int api_instances_add_next_page(ApiCall *call, int64_t after)
{
    _cleanup_(freep) char *name = api_instances_page_name(after);

    if (!name)
        return -ENOMEM;
    return http_answer_add_header(call->answer, "Elements-Next-Page-Token", name) == 0 ? 0
                                                                                       : -ENOMEM;
}

int api_instances_list(ApiCall *call)
{
    _cleanup_(query_deinit) Query query = {};
    const World *world = call->world;
    WorldQuery listing;
    int64_t rows = 0, after = 0, start;
    const Instance *row;
    JsonWriter writer;
    int r;

    r = query_init(&query, call->request->query);
    if (r == 0)
        r = api_instances_parse_query(call, &query, &listing, &rows, &after);
    if (r != 0)
        return r;
    start = after;
    row = world_next_instance(world, &listing, after);
    if (!row) /* as the platform does */
        return api_call_refuse(call, 404, "No element instances found.");
    json_writer_begin(&writer, &call->answer->body);
    json_writer_open_array(&writer);
    for (; row && rows > 0; rows--) {
        instance_write(&writer, row, call->view);
        after = row->id;
        row = world_next_instance(world, &listing, after);
    }
    json_writer_close_array(&writer);
    r = api_call_end(&writer);
    if (r == 0 && call->view->is_page_repeated)
        r = api_instances_add_next_page(call, start);
    else if (r == 0 && row)
        r = api_instances_add_next_page(call, after);
    return r;
}

/* ---- answering with one ---- */

int api_instances_get(ApiCall *call)
{
    JsonWriter writer;

    json_writer_begin(&writer, &call->answer->body);
    instance_write(&writer, call->instance, call->view);
    return api_call_end(&writer);
}

/* ---- checking ---- */

/* 0 or API_CALL_E_REFUSED: whether the body has the shape that its known keys must have. */
static int api_instances_check_shape(ApiCall *call)
{
    const JsonValue *body = call->request->document;
    const JsonValue *name = json_value_find(body, "name");
    const JsonValue *element = json_value_find(body, "element");

    if (name && !json_value_is_text(name))
        return api_call_refuse(call, 400, "The parameter 'name' must be a string.");
    if (element &&
        (element->type != JSON_OBJECT || !json_value_is_text(json_value_find(element, "key"))))
        return api_call_refuse(call, 400, "The parameter 'element.key' is missing or invalid.");
    return 0;
}

/* 0 or API_CALL_E_REFUSED: whether the person supplied what `element` asks for, and the vendor takes it. */
static int api_instances_check_configuration(ApiCall *call, const Element *element)
{
    const JsonValue *configuration = json_value_find(call->request->document, "configuration");
    const ElementKey *missing;
    char names[768] = "";
    size_t index = 0, used = 0;
    int r;

    while ((missing = catalogue_next_missing(element, configuration, &index)))
        if (used + strlen(missing->key) + 3 < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
                                     used > 0 ? ", " : "", missing->key);
    if (used > 0)
        return api_call_refuse(call, 400, "Missing required configuration: %s", names);
    if (!configuration || configuration->type != JSON_OBJECT)
        return 0;
    JSON_VALUE_FOREACH(value, configuration)
        if (json_value_is_text(value) && strcmp(value->text, API_INSTANCES_REFUSED_VALUE) == 0) {
            r = api_error_fill(call->answer, 400,
                               "Failed to create an instance: the provider refused the request.",
                               "Invalid credentials.");
            return r < 0 ? r : API_CALL_E_REFUSED;
        }
    return 0;
}

/* Sets what the body has of name, tags and configuration. 0, API_CALL_E_REFUSED or -errno. */
static int api_instances_apply(ApiCall *call, Instance *instance)
{
    const JsonValue *body = call->request->document;
    const JsonValue *name = json_value_find(body, "name");
    const JsonValue *tags = json_value_find(body, "tags");
    const JsonValue *configuration = json_value_find(body, "configuration");
    int r = 0;

    if (configuration)
        r = instance_merge_settings(instance, configuration);
    if (r == INSTANCE_E_INVALID)
        return api_call_refuse(call, 400, "The parameter 'configuration' must be a flat object.");
    if (r == 0 && tags)
        r = instance_set_tags(instance, tags);
    if (r == INSTANCE_E_INVALID)
        return api_call_refuse(call, 400, "The parameter 'tags' must be an array of strings.");
    if (r == 0 && name)
        r = instance_set_name(instance, name->text);
    return r;
}

/* ---- creating ---- */

/* The platform's documented sample answer is what some tests want, byte for byte. */
static int api_instances_answer_created(ApiCall *call)
{
    int r;

    if (!call->world->settings.is_sample_answer)
        return api_instances_get(call);
    r = instance_write_sample(&call->answer->body, call->instance);
    return r <= 0 ? r : -EFBIG;
}

int api_instances_create(ApiCall *call)
{
    _cleanup_(instance_freep) Instance *instance = NULL;
    const JsonValue *wanted = json_value_find(call->request->document, "element");
    const Element *element;
    int r;

    r = api_instances_check_shape(call);
    if (r == 0 && !wanted)
        r = api_call_refuse(call, 400, "The parameter 'element' is missing.");
    if (r != 0)
        return r;
    element = catalogue_find(&call->world->catalogue, json_value_find(wanted, "key")->text);
    if (!element)
        return api_call_refuse(call, 404, "No element found with key '%s'.",
                               json_value_find(wanted, "key")->text);
    r = api_instances_check_configuration(call, element);
    if (r == 0)
        r = instance_new(element, &instance);
    if (r == 0)
        r = api_instances_apply(call, instance);
    if (r != 0)
        return r;
    instance->account = call->account->id;
    r = world_add_instance(call->world, TAKE_PTR(instance), &call->instance);
    if (r != 0)
        return r < 0 ? r : -ENOSPC;
    call->world->n_created++;
    call->changed = call->instance->id;
    return api_instances_answer_created(call);
}

/* ---- changing ---- */

static int api_instances_note(ApiCall *call)
{
    call->changed = call->instance->id;
    return world_touch_instance(call->world, call->instance);
}

int api_instances_replace(ApiCall *call)
{
    const JsonValue *element = json_value_find(call->request->document, "element");
    const JsonValue *configuration = json_value_find(call->request->document, "configuration");
    int r;

    r = api_instances_check_shape(call);
    if (r != 0)
        return r;
    if (element && strcmp(json_value_find(element, "key")->text, call->instance->element->key) != 0)
        return api_call_refuse(call, 400, "The element of an instance cannot be changed.");
    r = api_instances_check_configuration(call, call->instance->element);
    if (r == 0 && configuration && configuration->type == JSON_OBJECT)
        instance_clear_settings(call->instance);
    if (r == 0)
        r = api_instances_apply(call, call->instance);
    if (r == 0)
        r = api_instances_note(call);
    return r == 0 ? api_instances_get(call) : r;
}

int api_instances_update(ApiCall *call)
{
    int r;

    r = api_instances_check_shape(call);
    if (r == 0)
        r = api_instances_apply(call, call->instance);
    if (r == 0)
        r = api_instances_note(call);
    return r == 0 ? api_instances_get(call) : r;
}

int api_instances_remove(ApiCall *call)
{
    call->changed = call->instance->id;
    return world_remove_instance(call->world, TAKE_PTR(call->instance));
}

int api_instances_enable(ApiCall *call)
{
    call->instance->is_disabled = false;
    return api_instances_note(call);
}

int api_instances_disable(ApiCall *call)
{
    call->instance->is_disabled = true;
    return api_instances_note(call);
}
