#include "tests/sandbox/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/error.h"
#include "tests/sandbox/base64.h"

#define INSTANCE_TOKEN_BYTES 32

/* ---- life ---- */

static char *instance_random_token(void)
{
    unsigned char random[INSTANCE_TOKEN_BYTES];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return NULL;
    return base64_format(random, sizeof(random));
}

int instance_new(const Element *element, Instance **ret_instance)
{
    _cleanup_(instance_freep) Instance *instance = NULL;

    instance = calloc(1, sizeof(*instance));
    if (!instance)
        return -ENOMEM;
    instance->element = element;
    instance->is_valid = true;
    instance->created = instance->updated = clock_realtime();
    instance->name = strdup(element->name);
    instance->token = instance_random_token();
    if (!instance->name || !instance->token)
        return -ENOMEM;
    *ret_instance = TAKE_PTR(instance);
    return 0;
}

static void instance_free_tags(char **tags, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(tags[i]);
    free(tags);
}

Instance *instance_free(Instance *instance)
{
    if (!instance)
        return NULL;
    free(instance->name);
    free(instance->token);
    instance_free_tags(instance->tags, instance->n_tags);
    instance_clear_settings(instance);
    free(instance);
    return NULL;
}

/* ---- setting ---- */

int instance_set_name(Instance *instance, const char *name)
{
    char *stripped = malloc(strlen(name) + 1);
    size_t n = 0;

    if (!stripped)
        return -ENOMEM;
    while (*name) {
        const char *end = *name == '<' ? strchr(name, '>') : NULL;

        if (end)
            name = end + 1;
        else
            stripped[n++] = *name++;
    }
    stripped[n] = '\0';
    free(instance->name);
    instance->name = stripped;
    return 0;
}

int instance_set_token(Instance *instance, const char *token)
{
    char *copy = strdup(token);

    if (!copy)
        return -ENOMEM;
    free(instance->token);
    instance->token = copy;
    return 0;
}

int instance_set_tags(Instance *instance, const JsonValue *tags)
{
    char **copies = NULL;
    size_t n = 0;

    if (tags->type != JSON_ARRAY || tags->n_children > INSTANCE_TAGS_MAX)
        return INSTANCE_E_INVALID;
    JSON_VALUE_FOREACH(tag, tags)
        if (!json_value_is_text(tag))
            return INSTANCE_E_INVALID;
    copies = calloc(tags->n_children + 1, sizeof(*copies));
    if (!copies)
        return -ENOMEM;
    JSON_VALUE_FOREACH(tag, tags) {
        copies[n] = strdup(tag->text);
        if (!copies[n++]) {
            instance_free_tags(copies, n);
            return -ENOMEM;
        }
    }
    instance_free_tags(instance->tags, instance->n_tags);
    instance->tags = copies;
    instance->n_tags = n;
    return 0;
}

static InstanceSetting *instance_find_setting(Instance *instance, const char *key)
{
    for (size_t i = 0; i < instance->n_settings; i++)
        if (strcmp(instance->settings[i].key, key) == 0)
            return &instance->settings[i];
    return NULL;
}

static int instance_merge_setting(Instance *instance, const JsonValue *value)
{
    InstanceSetting *setting = instance_find_setting(instance, value->key);
    char *text = NULL;

    if (value->text) {
        text = malloc(value->size + 1);
        if (!text)
            return -ENOMEM;
        memcpy(text, value->text, value->size + 1);
    }
    if (!setting) {
        setting = &instance->settings[instance->n_settings];
        *setting = (InstanceSetting){.key = strdup(value->key)};
        instance->n_settings++;
    }
    free((char *)setting->value.text);
    setting->value = (JsonValue){
        .type = value->type, .boolean = value->boolean, .text = text, .size = value->size};
    return setting->key ? 0 : -ENOMEM;
}

int instance_merge_settings(Instance *instance, const JsonValue *settings)
{
    InstanceSetting *grown;
    size_t n;
    int r = 0;

    if (settings->type != JSON_OBJECT)
        return INSTANCE_E_INVALID;
    JSON_VALUE_FOREACH(value, settings)
        if (value->type == JSON_OBJECT || value->type == JSON_ARRAY ||
            memchr(value->key, '\0', value->key_size))
            return INSTANCE_E_INVALID;
    n = instance->n_settings + settings->n_children;
    if (n > INSTANCE_SETTINGS_MAX)
        return INSTANCE_E_INVALID;
    grown = reallocarray(instance->settings, n + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    instance->settings = grown;
    JSON_VALUE_FOREACH(value, settings)
        if (r == 0)
            r = instance_merge_setting(instance, value);
    return r;
}

void instance_clear_settings(Instance *instance)
{
    for (size_t i = 0; i < instance->n_settings; i++) {
        free(instance->settings[i].key);
        free((char *)instance->settings[i].value.text);
    }
    free(TAKE_PTR(instance->settings));
    instance->n_settings = 0;
}

bool instance_has_tag(const Instance *instance, const char *tag)
{
    for (size_t i = 0; i < instance->n_tags; i++)
        if (strcmp(instance->tags[i], tag) == 0)
            return true;
    return false;
}

/* ---- showing ---- */

static void instance_write_date(JsonWriter *writer, const char *key, usec_t usec)
{
    time_t seconds = (time_t)(usec / USEC_PER_SEC);
    char date[32] = "";
    struct tm tm;

    if (gmtime_r(&seconds, &tm))
        (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_writer_key(writer, key);
    json_writer_string(writer, date);
}

static void instance_write_element(JsonWriter *writer, const Element *element, bool is_broken)
{
    static const char broken[] =
        "\"If you do not have an account, you can create one at <a href=\"https://example.com/signup\" "
        "target=\"_blank\">Signup</a>\"";

    json_writer_key(writer, "element");
    json_writer_open_object(writer);
    json_writer_key(writer, "id");
    json_writer_int(writer, element->id);
    json_writer_key(writer, "name");
    json_writer_string(writer, element->name);
    json_writer_key(writer, "key");
    json_writer_string(writer, element->key);
    json_writer_key(writer, "active");
    json_writer_boolean(writer, true);
    json_writer_key(writer, "deleted");
    json_writer_boolean(writer, false);
    json_writer_key(writer, "configDescription");
    if (is_broken) /* as a "number", which is written as it is */
        json_writer_number(writer, broken, sizeof(broken) - 1);
    else
        json_writer_string(writer,
                           "If you do not have an account, you can create one at "
                           "<a href=\"https://example.com/signup\" target=\"_blank\">Signup</a>");
    json_writer_key(writer, "signupURL");
    json_writer_string(writer, "https://example.com/signup");
    json_writer_close_object(writer);
}

static void instance_write_tags(JsonWriter *writer, const Instance *instance, bool is_as_objects)
{
    json_writer_key(writer, "tags");
    json_writer_open_array(writer);
    for (size_t i = 0; i < instance->n_tags; i++) {
        if (is_as_objects) {
            json_writer_open_object(writer);
            json_writer_key(writer, "id");
            json_writer_uint(writer, i + 1);
            json_writer_key(writer, "name");
        }
        json_writer_string(writer, instance->tags[i]);
        if (is_as_objects)
            json_writer_close_object(writer);
    }
    json_writer_close_array(writer);
}

static void instance_write_settings(JsonWriter *writer, const Instance *instance, bool is_masked)
{
    json_writer_key(writer, "configuration");
    json_writer_open_object(writer);
    for (size_t i = 0; i < instance->n_settings; i++) {
        json_writer_key(writer, instance->settings[i].key);
        if (is_masked)
            json_writer_string(writer, "********");
        else
            json_writer_value(writer, &instance->settings[i].value);
    }
    json_writer_close_object(writer);
}

static void instance_write_flags(JsonWriter *writer, const Instance *instance)
{
    json_writer_key(writer, "valid");
    json_writer_boolean(writer, instance->is_valid);
    json_writer_key(writer, "disabled");
    json_writer_boolean(writer, instance->is_disabled);
}

void instance_write(JsonWriter *writer, const Instance *instance, const InstanceView *view)
{
    json_writer_open_object(writer);
    json_writer_key(writer, "id");
    if (view->raw_id)
        json_writer_number(writer, view->raw_id, strlen(view->raw_id));
    else
        json_writer_int(writer, instance->id);
    json_writer_key(writer, "name");
    json_writer_string(writer, instance->name);
    instance_write_date(writer, "createdDate", instance->created);
    if (!view->is_token_omitted) {
        json_writer_key(writer, "token");
        if (view->raw_token)
            json_writer_number(writer, view->raw_token, view->raw_token_size);
        else
            json_writer_string(writer, instance->token);
    }
    instance_write_element(writer, instance->element, view->is_description_broken);
    json_writer_key(writer, "elementId");
    json_writer_int(writer, instance->element->id);
    instance_write_tags(writer, instance, view->is_tags_as_objects);
    json_writer_key(writer, "provisionInteractions");
    json_writer_open_array(writer);
    json_writer_close_array(writer);
    instance_write_flags(writer, instance);
    json_writer_key(writer, "maxCacheSize");
    json_writer_int(writer, 0);
    json_writer_key(writer, "cacheTimeToLive");
    json_writer_int(writer, 0);
    instance_write_settings(writer, instance, true);
    json_writer_key(writer, "eventsEnabled");
    json_writer_boolean(writer, false);
    json_writer_key(writer, "cachingEnabled");
    json_writer_boolean(writer, false);
    json_writer_key(writer, "externalAuthentication");
    json_writer_string(writer, "none");
    instance_write_date(writer, "updatedDate", instance->updated);
    json_writer_close_object(writer);
}

static int instance_append_string(Buffer *buffer, const char *text)
{
    JsonWriter writer;

    json_writer_begin(&writer, buffer);
    json_writer_string(&writer, text);
    return json_writer_end(&writer);
}

int instance_write_sample(Buffer *buffer, const Instance *instance)
{
    static const char rest[] =
        ",\n"
        "    \"element\": {\n"
        "        \"id\": 1,\n"
        "        \"name\": \"JIRA\",\n"
        "        \"key\": \"jira\",\n"
        "        \"description\": \"JIRA element\",\n"
        "        \"image\": \"elements/provider_jira.png\",\n"
        "        \"active\": true,\n"
        "        \"deleted\": false,\n"
        "        \"typeOauth\": false,\n"
        "        \"trialAccount\": false,\n"
        "        \"configDescription\": \"If you do not have an JIRA account, you can create one at "
        "<a href=\"http://www.atlassian.com/software/jira/pricing\" target=\"_blank\">JIRA "
        "Signup</a>\",\n"
        "        \"signupURL\": \"http://www.atlassian.com/software/jira/pricing\"\n"
        "    },\n"
        "    \"provisionInteractions\": [],\n"
        "    \"valid\": true,\n"
        "    \"disabled\": false,\n"
        "    \"maxCacheSize\": 0,\n"
        "    \"cacheTimeToLive\": 0,\n"
        "    \"cachingEnabled\": false\n"
        "}\n";
    int r;

    r = buffer_printf(buffer, "{\n    \"id\": %lld,\n    \"name\": ", (long long)instance->id);
    if (r == 0)
        r = instance_append_string(buffer, instance->name);
    if (r == 0)
        r = buffer_append_string(buffer, ",\n    \"token\": ");
    if (r == 0)
        r = instance_append_string(buffer, instance->token);
    return r == 0 ? buffer_append_string(buffer, rest) : r;
}

void instance_write_whole(JsonWriter *writer, const Instance *instance)
{
    json_writer_key(writer, "id");
    json_writer_int(writer, instance->id);
    json_writer_key(writer, "account");
    json_writer_int(writer, instance->account);
    json_writer_key(writer, "element");
    json_writer_string(writer, instance->element->key);
    json_writer_key(writer, "name");
    json_writer_string(writer, instance->name);
    json_writer_key(writer, "token");
    json_writer_string(writer, instance->token);
    instance_write_tags(writer, instance, false);
    instance_write_settings(writer, instance, false);
    instance_write_flags(writer, instance);
    json_writer_key(writer, "createdUSec");
    json_writer_uint(writer, instance->created);
    json_writer_key(writer, "updatedUSec");
    json_writer_uint(writer, instance->updated);
}
