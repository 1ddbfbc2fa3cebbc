/*
 * Control handlers about settings: how the platform behaves, whom it knows, and what elements ask for.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sandbox/control_call.h"

typedef struct ControlSettings {
    int64_t delay_ms;
    int tags_mode; /* 0 and, 1 or */
    bool is_tags_as_objects;
    bool is_sample_answer;
    int64_t page_max;
    const JsonValue *add_account;
    const JsonValue *change_account;
    const JsonValue *revoke_account;
    const JsonValue *require;
} ControlSettings;

#define SETTINGS_AT(member) offsetof(ControlSettings, member)

#define SETTINGS_DAY_MS 86400000

static const char *const control_tags_modes[] = {"and", "or", NULL};

static const Field control_settings_fields[] = {
    {"delayMs", FIELD_INT, false, SETTINGS_AT(delay_ms), 0, SETTINGS_DAY_MS, NULL},
    {"tagsMode", FIELD_CHOICE, false, SETTINGS_AT(tags_mode), 0, 0, control_tags_modes},
    {"tagsAsObjects", FIELD_BOOL, false, SETTINGS_AT(is_tags_as_objects), 0, 0, NULL},
    {"sampleAnswer", FIELD_BOOL, false, SETTINGS_AT(is_sample_answer), 0, 0, NULL},
    {"pageSizeMax", FIELD_INT, false, SETTINGS_AT(page_max), 1, WORLD_INSTANCES_MAX, NULL},
    {"addAccount", FIELD_OBJECT, false, SETTINGS_AT(add_account), 0, 0, NULL},
    {"changeAccount", FIELD_OBJECT, false, SETTINGS_AT(change_account), 0, 0, NULL},
    {"revokeAccount", FIELD_OBJECT, false, SETTINGS_AT(revoke_account), 0, 0, NULL},
    {"requireConfiguration", FIELD_OBJECT, false, SETTINGS_AT(require), 0, 0, NULL},
    {},
};

typedef struct ControlSecrets {
    const char *user;
    const char *organization;
    const char *new_user;
    const char *new_organization;
} ControlSecrets;

#define SECRETS_AT(member) offsetof(ControlSecrets, member)

static const Field control_secrets_fields[] = {
    {"user", FIELD_TEXT, true, SECRETS_AT(user), 0, 0, NULL},
    {"organization", FIELD_TEXT, true, SECRETS_AT(organization), 0, 0, NULL},
    {},
};

static const Field control_new_secrets_fields[] = {
    {"user", FIELD_TEXT, true, SECRETS_AT(user), 0, 0, NULL},
    {"organization", FIELD_TEXT, true, SECRETS_AT(organization), 0, 0, NULL},
    {"newUser", FIELD_TEXT, true, SECRETS_AT(new_user), 0, 0, NULL},
    {"newOrganization", FIELD_TEXT, true, SECRETS_AT(new_organization), 0, 0, NULL},
    {},
};

typedef struct ControlRequirement {
    const char *element;
    const JsonValue *keys;
} ControlRequirement;

static const Field control_requirement_fields[] = {
    {"element", FIELD_TEXT, true, offsetof(ControlRequirement, element), 0, 0, NULL},
    {"keys", FIELD_TEXTS, true, offsetof(ControlRequirement, keys), 0, 0, NULL},
    {},
};

int control_settings_get(ControlCall *call)
{
    const World *world = &call->sandbox->world;
    const WorldSettings *settings = &world->settings;
    JsonWriter writer;

    json_writer_begin(&writer, &call->answer->body);
    json_writer_open_object(&writer);
    json_writer_key(&writer, "delayMs");
    json_writer_uint(&writer, settings->create_delay / USEC_PER_MSEC);
    json_writer_key(&writer, "tagsMode");
    json_writer_string(&writer, control_tags_modes[settings->is_any_tag]);
    json_writer_key(&writer, "tagsAsObjects");
    json_writer_boolean(&writer, settings->is_tags_as_objects);
    json_writer_key(&writer, "sampleAnswer");
    json_writer_boolean(&writer, settings->is_sample_answer);
    json_writer_key(&writer, "pageSizeMax");
    json_writer_int(&writer, settings->page_max);
    json_writer_key(&writer, "accounts");
    json_writer_open_array(&writer);
    for (size_t i = 0; i < world->n_accounts; i++) {
        json_writer_open_object(&writer);
        json_writer_key(&writer, "user");
        json_writer_string(&writer, world->accounts[i]->user);
        json_writer_key(&writer, "organization");
        json_writer_string(&writer, world->accounts[i]->organization);
        json_writer_key(&writer, "revoked");
        json_writer_boolean(&writer, world->accounts[i]->is_revoked);
        json_writer_close_object(&writer);
    }
    json_writer_close_array(&writer);
    json_writer_close_object(&writer);
    return control_call_end(&writer);
}

static int control_add_account(ControlCall *call, const JsonValue *object)
{
    ControlSecrets secrets = {};
    Account *account;
    int r;

    r = control_call_read(call, object, control_secrets_fields, &secrets);
    if (r != 0)
        return r;
    r = world_add_account(&call->sandbox->world, secrets.user, secrets.organization, &account);
    if (r > 0)
        return control_call_refuse(call, 400,
                                   r == WORLD_E_EXISTS ? "There is such an account"
                                                       : "There are too many accounts");
    return r;
}

/* Revoked accounts can be changed too: that is how their secrets come back. */
static Account *control_find_secrets(World *world, const ControlSecrets *secrets)
{
    for (size_t i = 0; i < world->n_accounts; i++)
        if (strcmp(world->accounts[i]->user, secrets->user) == 0 &&
            strcmp(world->accounts[i]->organization, secrets->organization) == 0)
            return world->accounts[i];
    return NULL;
}

static int control_change_account(ControlCall *call, const JsonValue *object)
{
    ControlSecrets secrets = {};
    Account *account;
    int r;

    r = control_call_read(call, object, control_new_secrets_fields, &secrets);
    if (r != 0)
        return r;
    account = control_find_secrets(&call->sandbox->world, &secrets);
    if (!account)
        return control_call_refuse(call, 400, "There is no such account");
    account->is_revoked = false;
    return world_change_account(&call->sandbox->world, account, secrets.new_user,
                                secrets.new_organization);
}

static int control_revoke_account(ControlCall *call, const JsonValue *object)
{
    ControlSecrets secrets = {};
    Account *account;
    int r;

    r = control_call_read(call, object, control_secrets_fields, &secrets);
    if (r != 0)
        return r;
    account = control_find_secrets(&call->sandbox->world, &secrets);
    if (!account)
        return control_call_refuse(call, 400, "There is no such account");
    return world_revoke_account(&call->sandbox->world, account);
}

static int control_require(ControlCall *call, const JsonValue *object)
{
    ControlRequirement requirement = {};
    Element *element;
    int r;

    r = control_call_read(call, object, control_requirement_fields, &requirement);
    if (r != 0)
        return r;
    r = catalogue_obtain(&call->sandbox->world.catalogue, requirement.element, &element);
    if (r == 0)
        r = catalogue_require(element, requirement.keys);
    return r == CATALOGUE_E_FULL
               ? control_call_refuse(call, 400, "There are too many elements or keys")
               : r;
}

int control_settings_set(ControlCall *call)
{
    WorldSettings *settings = &call->sandbox->world.settings;
    ControlSettings wanted = {
        .delay_ms = (int64_t)(settings->create_delay / USEC_PER_MSEC),
        .tags_mode = settings->is_any_tag,
        .is_tags_as_objects = settings->is_tags_as_objects,
        .is_sample_answer = settings->is_sample_answer,
        .page_max = settings->page_max,
    };
    int r;

    r = control_call_read(call, call->document, control_settings_fields, &wanted);
    if (r == 0 && wanted.add_account)
        r = control_add_account(call, wanted.add_account);
    if (r == 0 && wanted.change_account)
        r = control_change_account(call, wanted.change_account);
    if (r == 0 && wanted.revoke_account)
        r = control_revoke_account(call, wanted.revoke_account);
    if (r == 0 && wanted.require)
        r = control_require(call, wanted.require);
    if (r != 0)
        return r;
    settings->create_delay = (usec_t)wanted.delay_ms * USEC_PER_MSEC;
    settings->is_any_tag = wanted.tags_mode == 1;
    settings->is_tags_as_objects = wanted.is_tags_as_objects;
    settings->is_sample_answer = wanted.is_sample_answer;
    settings->page_max = wanted.page_max;
    return control_settings_get(call);
}
