#pragma once

/*
 * Element instance: what the platform keeps of one, and the JSON in which it shows it.
 *
 * Limits: INSTANCE_*_MAX
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "tests/sandbox/catalogue.h"

#define INSTANCE_TAGS_MAX     256
#define INSTANCE_SETTINGS_MAX 256

enum {
    INSTANCE_E_INVALID = 1, /* the value has the wrong shape; nothing was changed */
};

typedef struct InstanceSetting {
    char *key;
    JsonValue value; /* a scalar, whose text is owned */
} InstanceSetting;

typedef struct Instance {
    int64_t id;
    int64_t account;        /* id of the account that owns it */
    const Element *element; /* borrowed from the catalogue */
    char *name;
    char *token;
    char **tags;
    size_t n_tags;
    InstanceSetting *settings; /* the real configuration */
    size_t n_settings;
    bool is_disabled;
    bool is_valid;
    usec_t created; /* realtime */
    usec_t updated;
} Instance;

/* How an answer shows instances: zero is as the platform should. */
typedef struct InstanceView {
    bool is_tags_as_objects;    /* as old answers of the platform have them */
    bool is_description_broken; /* quotes unescaped, as in the platform's documented sample */
    bool is_token_omitted;
    const char *raw_token; /* instead of the token with its quotes; borrowed; NULL: the real one */
    size_t raw_token_size;
    const char *raw_id;    /* instead of the id's digits */
    bool is_page_repeated; /* a listing names itself as its next page */
} InstanceView;

/* With a fresh random token. 0 or -ENOMEM. */
int instance_new(const Element *element, Instance **ret_instance);

/* NULL is fine. Returns NULL. */
Instance *instance_free(Instance *instance);

DEFINE_FREEP(Instance, instance_free)

/* Sets a copy of `name` without what looks like HTML, as the platform does. 0 or -ENOMEM. */
int instance_set_name(Instance *instance, const char *name);
int instance_set_token(Instance *instance, const char *token);

/* Replaces all tags by those of an array of strings. 0, INSTANCE_E_INVALID or -ENOMEM. */
int instance_set_tags(Instance *instance, const JsonValue *tags);

/* Adds the members of a flat object, which win over what was there. 0, INSTANCE_E_INVALID or -ENOMEM. */
int instance_merge_settings(Instance *instance, const JsonValue *settings);
void instance_clear_settings(Instance *instance);

bool instance_has_tag(const Instance *instance, const char *tag);

/* As the platform shows it: with the configuration masked. */
void instance_write(JsonWriter *writer, const Instance *instance, const InstanceView *view);

/* The platform's documented sample answer with this id, name and token: not valid JSON. 0, BUFFER_E_FULL or -ENOMEM. */
int instance_write_sample(Buffer *buffer, const Instance *instance);

/* The members of an object with all that there is, real configuration included. */
void instance_write_whole(JsonWriter *writer, const Instance *instance);
