#include "tests/sandbox/catalogue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

typedef struct BuiltinKey {
    const char *key;
    const char *type;
    bool is_required;
    const char *default_value;
} BuiltinKey;

typedef struct BuiltinElement {
    const char *key;
    const char *name;
    BuiltinKey keys[8];
} BuiltinElement;

/* Those of every element. */
static const BuiltinKey catalogue_common_keys[] = {
    {"event.notification.enabled", "BOOLEAN", false, "false"},
    {"event.vendor.type", "SELECT", false, "polling"},
    {"event.notification.type", "SELECT", false, "webhook"},
    {"event.notification.callback.url", "TEXTFIELD_1000", false, NULL},
    {"filter.response.nulls", "BOOLEAN", false, "true"},
};

static const BuiltinElement catalogue_builtin[] = {
    {"anything", "Anything", {}},
    {"jira",
     "JIRA",
     {{"jira.username", "TEXTFIELD_32", true, NULL},
      {"jira.password", "PASSWORD", true, NULL},
      {"jira.api.url", "TEXTFIELD_32", true, NULL}}},
    {"zendesk",
     "Zendesk",
     {{"zendesk.subdomain", "TEXTFIELD_32", true, NULL},
      {"username", "TEXTFIELD_32", true, NULL},
      {"password", "PASSWORD", true, NULL}}},
    {"sfdc",
     "Salesforce Sales Cloud",
     {{"oauth.api.key", "TEXTFIELD_1000", true, NULL},
      {"oauth.api.secret", "PASSWORD", true, NULL},
      {"oauth.callback.url", "TEXTFIELD_1000", true, NULL},
      {"oauth.user.refresh_token", "PASSWORD", false, NULL}}},
    {"hubspot",
     "HubSpot Marketing",
     {{"hubspot.api.key", "PASSWORD", true, NULL},
      {"create.bulk.properties", "BOOLEAN", false, "true"}}},
    {"slack",
     "Slack",
     {{"oauth.api.key", "TEXTFIELD_1000", true, NULL},
      {"oauth.api.secret", "PASSWORD", true, NULL},
      {"oauth.scope", "TEXTFIELD_1000", true, "channels:read"}}},
    {"sendgrid", "SendGrid", {{"api.key", "PASSWORD", true, NULL}}},
};

static void catalogue_free_element(Element *element)
{
    if (!element)
        return;
    for (size_t i = 0; i < element->n_keys; i++) {
        free(element->keys[i].key);
        free(element->keys[i].default_value);
    }
    free(element->key);
    free(element->name);
    free(element);
}

DEFINE_FREEP(Element, catalogue_free_element)

void catalogue_deinit(Catalogue *catalogue)
{
    for (size_t i = 0; i < catalogue->n_elements; i++)
        catalogue_free_element(catalogue->elements[i]);
    catalogue->n_elements = 0;
}

static int catalogue_add_key(Element *element, const BuiltinKey *builtin)
{
    ElementKey *key = &element->keys[element->n_keys];

    if (element->n_keys == CATALOGUE_KEYS_MAX)
        return CATALOGUE_E_FULL;
    *key = (ElementKey){
        .key = strdup(builtin->key), .type = builtin->type, .is_required = builtin->is_required};
    element->n_keys++;
    if (builtin->default_value)
        key->default_value = strdup(builtin->default_value);
    return key->key && (key->default_value || !builtin->default_value) ? 0 : -ENOMEM;
}

static int catalogue_add(Catalogue *catalogue, const BuiltinElement *builtin, Element **ret_element)
{
    _cleanup_(catalogue_free_elementp) Element *element = NULL;
    int r = 0;

    if (catalogue->n_elements == CATALOGUE_ELEMENTS_MAX)
        return CATALOGUE_E_FULL;
    element = calloc(1, sizeof(*element));
    if (!element)
        return -ENOMEM;
    element->id = (int)catalogue->n_elements + 1;
    element->key = strdup(builtin->key);
    element->name = strdup(builtin->name);
    if (!element->key || !element->name)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < N_ELEMENTS(builtin->keys) && builtin->keys[i].key; i++)
        r = catalogue_add_key(element, &builtin->keys[i]);
    for (size_t i = 0; r == 0 && i < N_ELEMENTS(catalogue_common_keys); i++)
        r = catalogue_add_key(element, &catalogue_common_keys[i]);
    if (r != 0)
        return r;
    catalogue->elements[catalogue->n_elements++] = element;
    *ret_element = TAKE_PTR(element);
    return 0;
}

int catalogue_init(Catalogue *catalogue)
{
    Element *element;
    int r = 0;

    catalogue->n_elements = 0;
    for (size_t i = 0; r == 0 && i < N_ELEMENTS(catalogue_builtin); i++)
        r = catalogue_add(catalogue, &catalogue_builtin[i], &element);
    return r;
}

Element *catalogue_find(const Catalogue *catalogue, const char *key)
{
    for (size_t i = 0; i < catalogue->n_elements; i++) {
        Element *element = catalogue->elements[i];
        char id[16];

        (void)snprintf(id, sizeof(id), "%d", element->id);
        if (strcmp(element->key, key) == 0 || strcmp(id, key) == 0)
            return element;
    }
    return NULL;
}

int catalogue_obtain(Catalogue *catalogue, const char *key, Element **ret_element)
{
    BuiltinElement wanted = {.key = key, .name = key};

    *ret_element = catalogue_find(catalogue, key);
    return *ret_element ? 0 : catalogue_add(catalogue, &wanted, ret_element);
}

static ElementKey *catalogue_find_key(Element *element, const char *key)
{
    for (size_t i = 0; i < element->n_keys; i++)
        if (strcmp(element->keys[i].key, key) == 0)
            return &element->keys[i];
    return NULL;
}

int catalogue_require(Element *element, const JsonValue *keys)
{
    for (size_t i = 0; i < element->n_keys; i++)
        element->keys[i].is_required = false;
    JSON_VALUE_FOREACH(wanted, keys) {
        BuiltinKey builtin = {wanted->text, "TEXTFIELD_1000", true, NULL};
        ElementKey *key = catalogue_find_key(element, wanted->text);
        int r;

        if (!key) {
            r = catalogue_add_key(element, &builtin);
            if (r != 0)
                return r;
        } else {
            key->is_required = true;
            free(TAKE_PTR(key->default_value));
        }
    }
    return 0;
}

const ElementKey *catalogue_next_missing(const Element *element, const JsonValue *configuration,
                                         size_t *index)
{
    while (*index < element->n_keys) {
        const ElementKey *key = &element->keys[(*index)++];
        const JsonValue *value = json_value_find(configuration, key->key);

        if (!key->is_required || key->default_value)
            continue;
        if (!value || value->type == JSON_NULL || (value->type == JSON_STRING && value->size == 0))
            return key;
    }
    return NULL;
}

void catalogue_write_configuration(JsonWriter *writer, const Element *element)
{
    json_writer_open_array(writer);
    for (size_t i = 0; i < element->n_keys; i++) {
        const ElementKey *key = &element->keys[i];

        json_writer_open_object(writer);
        json_writer_key(writer, "name");
        json_writer_string(writer, key->key);
        json_writer_key(writer, "key");
        json_writer_string(writer, key->key);
        json_writer_key(writer, "type");
        json_writer_string(writer, key->type);
        json_writer_key(writer, "active");
        json_writer_boolean(writer, true);
        json_writer_key(writer, "required");
        json_writer_boolean(writer, key->is_required);
        if (key->default_value) {
            json_writer_key(writer, "defaultValue");
            json_writer_string(writer, key->default_value);
        }
        json_writer_key(writer, "hideFromConsole");
        json_writer_boolean(writer, false);
        json_writer_key(writer, "displayOrder");
        json_writer_uint(writer, i);
        json_writer_close_object(writer);
    }
    json_writer_close_array(writer);
}
