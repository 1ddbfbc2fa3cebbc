#include "tests/sandbox/world.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define WORLD_FIRST_ID 1001

/* A state line: an instance with the largest configuration that a request may carry. */
#define WORLD_LINE_MAX ((size_t)32 * 1024 * 1024)

/* ---- writing state ---- */

static void world_write_account(JsonWriter *writer, const Account *account)
{
    json_writer_key(writer, "account");
    json_writer_open_object(writer);
    json_writer_key(writer, "id");
    json_writer_int(writer, account->id);
    json_writer_key(writer, "user");
    json_writer_string(writer, account->user);
    json_writer_key(writer, "organization");
    json_writer_string(writer, account->organization);
    json_writer_key(writer, "revoked");
    json_writer_boolean(writer, account->is_revoked);
    json_writer_close_object(writer);
}

static void world_write_instance(JsonWriter *writer, const Instance *instance)
{
    json_writer_key(writer, "instance");
    json_writer_open_object(writer);
    instance_write_whole(writer, instance);
    json_writer_close_object(writer);
}

/* One line with whichever is not NULL or 0, and always the next id. */
static int world_append_line(const World *world, Buffer *lines, const Account *account,
                             const Instance *instance, int64_t removed)
{
    JsonWriter writer;
    int r;

    json_writer_begin(&writer, lines);
    json_writer_open_object(&writer);
    json_writer_key(&writer, "nextId");
    json_writer_int(&writer, world->next_id);
    if (account)
        world_write_account(&writer, account);
    if (instance)
        world_write_instance(&writer, instance);
    if (removed != 0) {
        json_writer_key(&writer, "removed");
        json_writer_int(&writer, removed);
    }
    json_writer_close_object(&writer);
    r = json_writer_end(&writer);
    if (r == 0)
        r = buffer_append(lines, "\n", 1);
    return r <= 0 ? r : -EFBIG;
}

static int world_note(World *world, const Account *account, const Instance *instance,
                      int64_t removed)
{
    Buffer line = BUFFER_INIT(WORLD_LINE_MAX);
    int r;

    if (world->journal.fd < 0)
        return 0;
    r = world_append_line(world, &line, account, instance, removed);
    if (r == 0)
        r = journal_append(&world->journal, &line);
    buffer_deinit(&line);
    return r;
}

/* ---- accounts ---- */

static void world_free_account(Account *account)
{
    free(account->user);
    free(account->organization);
    free(account);
}

static Account *world_find_account_by_id(const World *world, int64_t id)
{
    for (size_t i = 0; i < world->n_accounts; i++)
        if (world->accounts[i]->id == id)
            return world->accounts[i];
    return NULL;
}

Account *world_find_account(const World *world, const char *user, const char *organization)
{
    for (size_t i = 0; i < world->n_accounts; i++) {
        Account *account = world->accounts[i];

        if (!account->is_revoked && strcmp(account->user, user) == 0 &&
            strcmp(account->organization, organization) == 0)
            return account;
    }
    return NULL;
}

static int world_set_secrets(Account *account, const char *user, const char *organization)
{
    char *user_copy = strdup(user), *organization_copy = strdup(organization);

    if (!user_copy || !organization_copy) {
        free(user_copy);
        free(organization_copy);
        return -ENOMEM;
    }
    free(account->user);
    free(account->organization);
    account->user = user_copy;
    account->organization = organization_copy;
    return 0;
}

static int world_new_account(World *world, int64_t id, const char *user, const char *organization,
                             Account **ret_account)
{
    Account *account;
    int r;

    if (world->n_accounts == WORLD_ACCOUNTS_MAX)
        return WORLD_E_FULL;
    account = calloc(1, sizeof(*account));
    if (!account)
        return -ENOMEM;
    account->id = id;
    r = world_set_secrets(account, user, organization);
    if (r < 0) {
        world_free_account(account);
        return r;
    }
    world->accounts[world->n_accounts++] = account;
    *ret_account = account;
    return 0;
}

int world_add_account(World *world, const char *user, const char *organization,
                      Account **ret_account)
{
    int r;

    if (world_find_account(world, user, organization))
        return WORLD_E_EXISTS;
    r = world_new_account(world, (int64_t)world->n_accounts + 1, user, organization, ret_account);
    return r == 0 ? world_note(world, *ret_account, NULL, 0) : r;
}

int world_change_account(World *world, Account *account, const char *user, const char *organization)
{
    int r;

    r = world_set_secrets(account, user, organization);
    return r == 0 ? world_note(world, account, NULL, 0) : r;
}

int world_revoke_account(World *world, Account *account)
{
    account->is_revoked = true;
    return world_note(world, account, NULL, 0);
}

/* ---- instances ---- */

/* Index of the first instance whose id is not below `id`. */
static size_t world_position(const World *world, int64_t id)
{
    size_t low = 0, high = world->n_instances;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (world->instances[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

Instance *world_find_instance(const World *world, int64_t id)
{
    size_t i = world_position(world, id);

    return i < world->n_instances && world->instances[i]->id == id ? world->instances[i] : NULL;
}

Instance *world_find_token(const World *world, const char *token)
{
    for (size_t i = 0; i < world->n_instances; i++)
        if (strcmp(world->instances[i]->token, token) == 0)
            return world->instances[i];
    return NULL;
}

static bool world_matches(const World *world, const WorldQuery *query, const Instance *instance)
{
    size_t n_found = 0;

    if (instance->account != query->account)
        return false;
    if (query->search && !strcasestr(instance->name, query->search))
        return false;
    for (size_t i = 0; i < query->n_tags; i++)
        n_found += instance_has_tag(instance, query->tags[i]);
    return query->n_tags == 0 ||
           (world->settings.is_any_tag ? n_found > 0 : n_found == query->n_tags);
}

Instance *world_next_instance(const World *world, const WorldQuery *query, int64_t after)
{
    if (after == INT64_MAX)
        return NULL;
    for (size_t i = world_position(world, after + 1); i < world->n_instances; i++)
        if (world_matches(world, query, world->instances[i]))
            return world->instances[i];
    return NULL;
}

static int world_insert(World *world, Instance *instance)
{
    size_t i = world_position(world, instance->id);

    if (world->n_instances == WORLD_INSTANCES_MAX)
        return WORLD_E_FULL;
    if (i < world->n_instances && world->instances[i]->id == instance->id)
        return WORLD_E_EXISTS;
    if (world->n_instances == world->capacity) {
        size_t capacity = world->capacity > 0 ? 2 * world->capacity : 64;
        Instance **grown = reallocarray(world->instances, capacity, sizeof(Instance *));

        if (!grown)
            return -ENOMEM;
        world->instances = grown;
        world->capacity = capacity;
    }
    memmove(&world->instances[i + 1], &world->instances[i],
            (world->n_instances - i) * sizeof(Instance *));
    world->instances[i] = instance;
    world->n_instances++;
    if (instance->id >= world->next_id && instance->id < INT64_MAX)
        world->next_id = instance->id + 1;
    return 0;
}

int world_add_instance(World *world, Instance *instance, Instance **ret_instance)
{
    int r;

    if (instance->id == 0)
        instance->id = world->next_id;
    r = world_insert(world, instance);
    if (r != 0) {
        (void)instance_free(instance);
        return r;
    }
    *ret_instance = instance;
    return world_note(world, NULL, instance, 0);
}

int world_touch_instance(World *world, Instance *instance)
{
    instance->updated = clock_realtime();
    return world_note(world, NULL, instance, 0);
}

static void world_drop(World *world, size_t i)
{
    (void)instance_free(world->instances[i]);
    world->n_instances--;
    memmove(&world->instances[i], &world->instances[i + 1],
            (world->n_instances - i) * sizeof(Instance *));
}

int world_remove_instance(World *world, Instance *instance)
{
    int64_t id = instance->id;

    world_drop(world, world_position(world, id));
    return world_note(world, NULL, NULL, id);
}

int world_clear_instances(World *world)
{
    int r = 0;

    while (r == 0 && world->n_instances > 0)
        r = world_remove_instance(world, world->instances[world->n_instances - 1]);
    return r;
}

/* ---- reading state ---- */

static int64_t world_int(const JsonValue *object, const char *key, int64_t otherwise)
{
    const JsonValue *value = json_value_find(object, key);
    int64_t number;

    if (!value || value->type != JSON_NUMBER ||
        json_parse_int64(value->text, value->size, &number) < 0)
        return otherwise;
    return number;
}

static bool world_bool(const JsonValue *object, const char *key, bool otherwise)
{
    const JsonValue *value = json_value_find(object, key);

    return value && value->type == JSON_BOOLEAN ? value->boolean : otherwise;
}

static const char *world_text(const JsonValue *object, const char *key)
{
    const JsonValue *value = json_value_find(object, key);

    return json_value_is_text(value) ? value->text : NULL;
}

int world_fill_instance(Instance *instance, const JsonValue *object)
{
    const char *name = world_text(object, "name"), *token = world_text(object, "token");
    const JsonValue *tags = json_value_find(object, "tags");
    const JsonValue *settings = json_value_find(object, "configuration");
    int r = 0;

    instance->id = world_int(object, "id", instance->id);
    instance->account = world_int(object, "account", instance->account);
    instance->is_disabled = world_bool(object, "disabled", instance->is_disabled);
    instance->is_valid = world_bool(object, "valid", instance->is_valid);
    instance->created = (usec_t)world_int(object, "createdUSec", (int64_t)instance->created);
    instance->updated = (usec_t)world_int(object, "updatedUSec", (int64_t)instance->updated);
    if (name)
        r = instance_set_name(instance, name);
    if (r == 0 && token)
        r = instance_set_token(instance, token);
    if (r == 0 && tags)
        r = instance_set_tags(instance, tags);
    if (r == 0 && settings) {
        instance_clear_settings(instance);
        r = instance_merge_settings(instance, settings);
    }
    return r;
}

static int world_load_instance(World *world, const JsonValue *object)
{
    _cleanup_(instance_freep) Instance *instance = NULL;
    const char *key = world_text(object, "element");
    Element *element;
    size_t i;
    int r;

    r = catalogue_obtain(&world->catalogue, key ? key : "anything", &element);
    if (r == 0)
        r = instance_new(element, &instance);
    if (r == 0)
        r = world_fill_instance(instance, object);
    if (r != 0)
        return r < 0 ? r : -EINVAL;
    i = world_position(world, instance->id);
    if (i < world->n_instances && world->instances[i]->id == instance->id)
        world_drop(world, i); /* a later line wins */
    r = world_insert(world, instance);
    if (r == 0)
        instance = NULL;
    return r <= 0 ? r : -EINVAL;
}

static int world_load_account(World *world, const JsonValue *object)
{
    const char *user = world_text(object, "user");
    const char *organization = world_text(object, "organization");
    int64_t id = world_int(object, "id", 0);
    Account *account = world_find_account_by_id(world, id);
    int r = 0;

    if (!user || !organization || id == 1) /* the first is what the options say */
        return 0;
    if (account)
        r = world_set_secrets(account, user, organization);
    else
        r = world_new_account(world, id, user, organization, &account);
    if (r == 0)
        account->is_revoked = world_bool(object, "revoked", false);
    return r <= 0 ? r : -EINVAL;
}

static int world_on_line(void *userdata, const JsonValue *line)
{
    World *world = userdata;
    const JsonValue *account = json_value_find(line, "account");
    const JsonValue *instance = json_value_find(line, "instance");
    Instance *removed = world_find_instance(world, world_int(line, "removed", 0));
    int r = 0;

    if (account)
        r = world_load_account(world, account);
    if (r == 0 && instance)
        r = world_load_instance(world, instance);
    if (removed)
        world_drop(world, world_position(world, removed->id));
    world->next_id = world_int(line, "nextId", world->next_id);
    return r;
}

/* The state file again, with nothing in it that is past. */
static int world_start_journal(World *world, const char *state)
{
    Buffer lines = BUFFER_INIT(JOURNAL_BYTES_MAX);
    int r = 0;

    for (size_t i = 0; r == 0 && i < world->n_accounts; i++)
        r = world_append_line(world, &lines, world->accounts[i], NULL, 0);
    for (size_t i = 0; r == 0 && i < world->n_instances; i++)
        r = world_append_line(world, &lines, NULL, world->instances[i], 0);
    if (r == 0)
        r = journal_start(&world->journal, state, &lines);
    buffer_deinit(&lines);
    return r;
}

/* ---- life ---- */

int world_init(World *world, const char *user, const char *organization, const char *state)
{
    Account *account;
    int r;

    *world = (World){
        .next_id = WORLD_FIRST_ID, .settings = {.page_max = 200}, .journal = JOURNAL_INIT};
    r = catalogue_init(&world->catalogue);
    if (r == 0)
        r = world_new_account(world, 1, user, organization, &account);
    if (r == 0 && state)
        r = journal_replay(state, world_on_line, world);
    if (r == 0 && state)
        r = world_start_journal(world, state);
    return r <= 0 ? r : -EINVAL;
}

void world_deinit(World *world)
{
    for (size_t i = 0; i < world->n_instances; i++)
        (void)instance_free(world->instances[i]);
    free(TAKE_PTR(world->instances));
    world->n_instances = world->capacity = 0;
    for (size_t i = 0; i < world->n_accounts; i++)
        world_free_account(world->accounts[i]);
    world->n_accounts = 0;
    catalogue_deinit(&world->catalogue);
    journal_deinit(&world->journal);
}
