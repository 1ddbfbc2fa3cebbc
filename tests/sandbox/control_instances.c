/*
 * Control handlers about instances: planting them without a request, looking at all that is kept of them,
 * and changing them behind the back of their owner.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json_value.h"
#include "tests/sandbox/control_call.h"

/* ---- planting ---- */

typedef struct ControlPlant {
    const char *user;
    const char *organization;
    const char *element;
    const char *name;
    const char *token;
    const JsonValue *tags;
    const JsonValue *configuration;
    bool is_disabled;
    bool is_valid;
    int64_t id;
    int64_t created;
    int64_t count;
    int64_t start;
} ControlPlant;

#define PLANT_AT(member) offsetof(ControlPlant, member)

static const Field control_plant_fields[] = {
    {"user", FIELD_TEXT, false, PLANT_AT(user), 0, 0, NULL},
    {"organization", FIELD_TEXT, false, PLANT_AT(organization), 0, 0, NULL},
    {"element", FIELD_TEXT, false, PLANT_AT(element), 0, 0, NULL},
    {"name", FIELD_TEXT, false, PLANT_AT(name), 0, 0, NULL},
    {"token", FIELD_TEXT, false, PLANT_AT(token), 0, 0, NULL},
    {"tags", FIELD_TEXTS, false, PLANT_AT(tags), 0, 0, NULL},
    {"configuration", FIELD_OBJECT, false, PLANT_AT(configuration), 0, 0, NULL},
    {"disabled", FIELD_BOOL, false, PLANT_AT(is_disabled), 0, 0, NULL},
    {"valid", FIELD_BOOL, false, PLANT_AT(is_valid), 0, 0, NULL},
    {"id", FIELD_INT, false, PLANT_AT(id), 1, INT64_MAX / 2, NULL},
    {"createdUSec", FIELD_INT, false, PLANT_AT(created), 0, INT64_MAX, NULL},
    {"count", FIELD_INT, false, PLANT_AT(count), 0, WORLD_INSTANCES_MAX, NULL},
    {"start", FIELD_INT, false, PLANT_AT(start), 0, INT32_MAX, NULL},
    {},
};

/* The body with {i} replaced by the number; it is JSON text, in which {i} stands in strings alone. */
static int control_expand(const Buffer *body, int64_t number, Buffer *text)
{
    const char *rest = buffer_data(body), *end = rest + buffer_size(body);
    int r = 0;

    while (r == 0 && rest < end) {
        const char *mark = memmem(rest, (size_t)(end - rest), "{i}", 3);

        r = buffer_append(text, rest, (size_t)((mark ? mark : end) - rest));
        if (r == 0 && mark)
            r = buffer_printf(text, "%lld", (long long)number);
        rest = mark ? mark + 3 : end;
    }
    return r == 0 ? 0 : -ENOMEM;
}

static int control_plant_document(ControlCall *call, const ControlPlant *plant,
                                  const Account *account, int64_t index, const JsonValue *document,
                                  int64_t *ret_id)
{
    World *world = &call->sandbox->world;
    _cleanup_(instance_freep) Instance *instance = NULL;
    Instance *added;
    Element *element;
    int r;

    r = catalogue_obtain(&world->catalogue, plant->element ? plant->element : "anything", &element);
    if (r == CATALOGUE_E_FULL)
        return control_call_refuse(call, 400, "There are too many elements");
    if (r == 0)
        r = instance_new(element, &instance);
    if (r == 0)
        r = world_fill_instance(instance, document);
    if (r < 0)
        return r;
    if (r == INSTANCE_E_INVALID || !instance)
        return control_call_refuse(call, 400, "\"tags\" or \"configuration\" cannot be used");
    instance->id = plant->id > 0 ? plant->id + index : 0;
    instance->account = account->id;
    r = world_add_instance(world, TAKE_PTR(instance), &added);
    if (r > 0)
        return control_call_refuse(
            call, 400, r == WORLD_E_EXISTS ? "The id is taken" : "There are too many instances");
    if (r == 0)
        *ret_id = added->id;
    return r;
}

static int control_plant_one(ControlCall *call, const ControlPlant *plant, const Account *account,
                             int64_t index, int64_t *ret_id)
{
    Buffer text = BUFFER_INIT(2 * HTTP_REQUEST_BODY_MAX);
    Arena arena;
    JsonValue *document = NULL;
    int r;

    r = control_expand(&call->request->body, plant->start + index, &text);
    arena_init(&arena, json_value_arena_max(buffer_size(&text)));
    if (r == 0)
        r = json_value_parse(&arena, buffer_data(&text), buffer_size(&text), 0, &document, NULL);
    if (r == JSON_E_SYNTAX)
        r = control_call_refuse(call, 400, "{i} stands where it breaks the JSON");
    if (r == 0)
        r = control_plant_document(call, plant, account, index, document, ret_id);
    arena_deinit(&arena);
    buffer_deinit(&text);
    return r;
}

static int control_plant_all(ControlCall *call, const ControlPlant *plant, const Account *account)
{
    Buffer *body = &call->answer->body;
    int64_t id = 0;
    int r = 0;

    if (buffer_append_string(body, "{\"ids\":[") != 0)
        return -ENOMEM;
    for (int64_t i = 0; i < plant->count; i++) {
        r = control_plant_one(call, plant, account, i, &id);
        if (r != 0)
            return r;
        if (buffer_printf(body, "%s%lld", i > 0 ? "," : "", (long long)id) != 0)
            return -ENOMEM;
    }
    return buffer_append_string(body, "]}") == 0 ? 0 : -ENOMEM;
}

int control_instances_plant(ControlCall *call)
{
    ControlPlant plant = {.count = 1};
    const World *world = &call->sandbox->world;
    const Account *account = world->accounts[0];
    int r;

    r = control_call_read(call, call->document, control_plant_fields, &plant);
    if (r != 0)
        return r;
    if (!plant.user != !plant.organization)
        return control_call_refuse(call, 400, "\"user\" and \"organization\" go together");
    if (plant.user)
        account = world_find_account(world, plant.user, plant.organization);
    if (!account)
        return control_call_refuse(call, 400, "There is no such account");
    if (buffer_size(&call->request->body) == 0)
        return control_call_refuse(call, 400, "A JSON object is wanted here");
    return control_plant_all(call, &plant, account);
}

/* ---- looking ---- */

static const Account *control_find_account(const World *world, int64_t id)
{
    for (size_t i = 0; i < world->n_accounts; i++)
        if (world->accounts[i]->id == id)
            return world->accounts[i];
    return NULL;
}

static void control_write_instance(JsonWriter *writer, const World *world, const Instance *instance)
{
    const Account *account = control_find_account(world, instance->account);

    json_writer_open_object(writer);
    instance_write_whole(writer, instance);
    json_writer_key(writer, "user");
    json_writer_string(writer, account ? account->user : NULL);
    json_writer_key(writer, "organization");
    json_writer_string(writer, account ? account->organization : NULL);
    json_writer_close_object(writer);
}

int control_instances_list(ControlCall *call)
{
    const World *world = &call->sandbox->world;
    JsonWriter writer;

    json_writer_begin(&writer, &call->answer->body);
    json_writer_open_array(&writer);
    for (size_t i = 0; i < world->n_instances; i++)
        control_write_instance(&writer, world, world->instances[i]);
    json_writer_close_array(&writer);
    return control_call_end(&writer);
}

/* That of the path, or NULL. */
static Instance *control_find_instance(const ControlCall *call)
{
    char *end;
    long long id = strtoll(call->segment, &end, 10);

    return *end ? NULL : world_find_instance(&call->sandbox->world, id);
}

static int control_refuse_unknown(ControlCall *call)
{
    return control_call_refuse(call, 404, "There is no instance %s", call->segment);
}

static int control_answer_instance(ControlCall *call, const Instance *instance)
{
    JsonWriter writer;

    json_writer_begin(&writer, &call->answer->body);
    control_write_instance(&writer, &call->sandbox->world, instance);
    return control_call_end(&writer);
}

int control_instances_get(ControlCall *call)
{
    const Instance *instance = control_find_instance(call);

    return instance ? control_answer_instance(call, instance) : control_refuse_unknown(call);
}

/* ---- changing ---- */

int control_instances_clear(ControlCall *call)
{
    return world_clear_instances(&call->sandbox->world);
}

int control_instances_remove(ControlCall *call)
{
    Instance *instance = control_find_instance(call);

    return instance ? world_remove_instance(&call->sandbox->world, instance)
                    : control_refuse_unknown(call);
}

int control_instances_set_token(ControlCall *call)
{
    static const Field fields[] = {{"token", FIELD_TEXT, false, 0, 0, 0, NULL}, {}};
    _cleanup_(instance_freep) Instance *fresh = NULL;
    Instance *instance = control_find_instance(call);
    const char *token = NULL;
    int r;

    if (!instance)
        return control_refuse_unknown(call);
    r = control_call_read(call, call->document, fields, &token);
    if (r == 0 && !token) { /* a random one, as a new instance would have */
        r = instance_new(instance->element, &fresh);
        token = r == 0 ? fresh->token : NULL;
    }
    if (r == 0)
        r = instance_set_token(instance, token);
    if (r == 0)
        r = world_touch_instance(&call->sandbox->world, instance);
    return r == 0 ? control_answer_instance(call, instance) : r;
}

static int control_set_disabled(ControlCall *call, bool is_disabled)
{
    Instance *instance = control_find_instance(call);
    int r;

    if (!instance)
        return control_refuse_unknown(call);
    instance->is_disabled = is_disabled;
    r = world_touch_instance(&call->sandbox->world, instance);
    return r == 0 ? control_answer_instance(call, instance) : r;
}

int control_instances_disable(ControlCall *call)
{
    return control_set_disabled(call, true);
}

int control_instances_enable(ControlCall *call)
{
    return control_set_disabled(call, false);
}
