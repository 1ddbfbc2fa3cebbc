#include "config/body.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "base/shared.h"
#include "config/reference.h"
#include "config/schema.h"

/* Tags that begin so say who owns an instance; only we may add them. */
#define BODY_TAG_PREFIX "elementd."

/* ---- shape ---- */

static const SchemaKey body_element_keys[] = {
    {"key", JSON_STRING, .is_required = true},
};

static const Schema body_element_schema = {
    .keys = body_element_keys,
    .n_keys = N_ELEMENTS(body_element_keys),
    .prefix = "element.",
    .is_open = true,
};

static int body_set_element(const SchemaKey *key, Document *document, const JsonValue *value,
                            void *target)
{
    (void)key;
    return schema_check(&body_element_schema, document, value, target);
}

static int body_set_tags(const SchemaKey *key, Document *document, const JsonValue *value,
                         void *target)
{
    (void)target;
    JSON_VALUE_FOREACH(tag, value)
        if (tag->type != JSON_STRING)
            document_error(document, tag->at, "\"%s\" must hold strings, but this is %s", key->name,
                           document_type_words(tag->type));
    return 0;
}

static int body_set_configuration(const SchemaKey *key, Document *document, const JsonValue *value,
                                  void *target)
{
    (void)target;
    JSON_VALUE_FOREACH(member, value)
        if (member->type == JSON_ARRAY || member->type == JSON_OBJECT)
            document_error(
                document, member->at,
                "\"%.64s\" in \"%s\" must be a string, boolean, number or null, but is %s",
                member->key, key->name, document_type_words(member->type));
    return 0;
}

static const SchemaKey body_keys[] = {
    {"element", JSON_OBJECT, .is_required = true, .set = body_set_element},
    {"name", JSON_STRING, .set = NULL},
    {"tags", JSON_ARRAY, .set = body_set_tags},
    {"configuration", JSON_OBJECT, .set = body_set_configuration},
};

static const Schema body_schema = {
    .keys = body_keys,
    .n_keys = N_ELEMENTS(body_keys),
    .prefix = "",
    .is_open = true,
};

static bool body_is_key(const JsonValue *member, const char *key)
{
    return member->key_size == strlen(key) && memcmp(member->key, key, member->key_size) == 0;
}

/* ---- secrets ---- */

/* As they stand in keys of the platform's elements ("jira.password", "oauth.api.key", "clientSecret", "token_id"). */
static const char *const body_secret_words[] = {
    "password", "passwd", "pwd", "passphrase", "secret", "token", "apikey", "private", "credential",
};

bool body_key_looks_secret(const char *key)
{
    char letters[256];
    size_t n = 0;

    for (; *key && n < sizeof(letters) - 1; key++)
        if (isalnum((unsigned char)*key))
            letters[n++] = (char)tolower((unsigned char)*key);
    letters[n] = '\0';
    for (size_t i = 0; i < N_ELEMENTS(body_secret_words); i++)
        if (strstr(letters, body_secret_words[i]))
            return true;
    return n >= 3 && strcmp(letters + n - 3, "key") == 0;
}

static void body_check_literal(Document *document, const JsonValue *value)
{
    if (document->source->is_world_readable && value->size > 0 && value->key &&
        body_key_looks_secret(value->key) && !document_has_placeholder(value))
        document_warning(
            document, value->at,
            "\"%.64s\" looks like a secret in plain text in a file that everyone may read: "
            "use ${credential:NAME}, or chmod 0640 the file",
            value->key);
}

/* ---- references ---- */

/* Replaces those of one string in the tree. *size counts what was replaced in the whole document. */
static int body_expand_string(Document *document, JsonValue *value, bool is_configuration,
                              size_t *size)
{
    Buffer expanded = BUFFER_INIT(BODY_BYTES_MAX - *size);
    bool is_reference = false;
    int r = 0;

    if (memchr(value->text, '$', value->size)) {
        r = reference_expand(document, value->at, value->text, value->size, is_configuration,
                             &expanded, &is_reference);
        if (r == 0) {
            value->size = buffer_size(&expanded);
            value->text = arena_strndup(&document->arena, buffer_data(&expanded), value->size);
            *size += value->size;
            r = value->text ? 0 : -ENOMEM;
        }
    }
    buffer_deinit(&expanded);
    if (r >= 0 && is_configuration && !is_reference)
        body_check_literal(document, value);
    return r < 0 ? r : 0;
}

/* As deep as the reader's JSON_DEPTH_MAX lets a tree be. */
static int body_expand(Document *document, JsonValue *value, bool is_configuration, size_t *size)
{
    if (value->type == JSON_STRING)
        return body_expand_string(document, value, is_configuration, size);
    for (JsonValue *child = value->first; child; child = child->next) {
        int r = body_expand(document, child, is_configuration, size);

        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- checks of what is then there ---- */

/* As it is written: an element's name is shown to everybody, so it must not come out of a secret. */
static int body_check_element(Document *document, const char **ret_element)
{
    const JsonValue *key = json_value_find(json_value_find(document->root, "element"), "key");

    if (!key || key->type != JSON_STRING || document_has_placeholder(key))
        return 0;
    if (key->size == 0 || !json_value_is_text(key)) {
        document_error(document, key->at,
                       "\"element.key\" must be the key of an element, such as \"jira\"");
        return 0;
    }
    if (strchr(key->text, '$')) {
        document_error(document, key->at, "references are not replaced in \"element.key\"");
        return 0;
    }
    return shared_new(key->text, key->size, NULL, ret_element);
}

static void body_check_tags(Document *document)
{
    const JsonValue *tags = json_value_find(document->root, "tags");

    if (!tags || tags->type != JSON_ARRAY)
        return;
    JSON_VALUE_FOREACH(tag, tags)
        if (tag->type == JSON_STRING &&
            strncmp(tag->text, BODY_TAG_PREFIX, strlen(BODY_TAG_PREFIX)) == 0)
            document_error(document, tag->at,
                           "tags that begin with \"" BODY_TAG_PREFIX
                           "\" are added by elementd itself");
}

int body_check(Document *document, const char **ret_element)
{
    size_t size = 0;
    int r;

    r = schema_check(&body_schema, document, document->root, NULL);
    if (r == 0)
        r = body_check_element(document, ret_element);
    if (r < 0)
        return r;
    for (JsonValue *member = document->root->first; member; member = member->next) {
        if (body_is_key(member, BODY_OUR_KEY))
            continue;
        r = body_expand(document, member, body_is_key(member, "configuration"), &size);
        if (r < 0)
            return r;
    }
    body_check_tags(document);
    return 0;
}

/* ---- writing ---- */

typedef enum BodyPart {
    BODY_LABELS, /* what a PATCH changes: name and tags */
    BODY_REST,   /* what a PUT changes */
    BODY_ALL,
} BodyPart;

static bool body_is_in_part(const JsonValue *member, BodyPart part)
{
    bool is_label = body_is_key(member, "name") || body_is_key(member, "tags");

    if (body_is_key(member, BODY_OUR_KEY))
        return false;
    switch (part) {
    case BODY_LABELS:
        return is_label;
    case BODY_REST:
        return !is_label;
    case BODY_ALL:
        return true;
    }
    assert(false);
    return false;
}

static void body_write_members(JsonWriter *writer, const JsonValue *root, BodyPart part)
{
    json_writer_open_object(writer);
    JSON_VALUE_FOREACH(member, root) {
        if (!body_is_in_part(member, part))
            continue;
        json_writer_text(writer, member->key, member->key_size);
        json_writer_value(writer, member);
    }
    json_writer_close_object(writer);
}

static int body_write_part(Document *document, BodyPart part, Buffer *buffer)
{
    JsonWriter writer;
    int r;

    json_writer_begin(&writer, buffer);
    body_write_members(&writer, document->root, part);
    r = json_writer_end(&writer);
    if (r < 0)
        return r;
    if (r == JSON_WRITER_E_FULL) {
        document_error(document, document->root->at,
                       "the body is larger than %d bytes with its references replaced",
                       BODY_BYTES_MAX);
        return BODY_E_TOO_BIG;
    }
    assert(r == 0); /* what the reader and reference_expand() let through is UTF-8 */
    return 0;
}

static void body_append(JsonValue *parent, JsonValue *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->n_children++;
}

static JsonValue *body_find_tags(Document *document)
{
    for (JsonValue *member = document->root->first; member; member = member->next)
        if (body_is_key(member, "tags"))
            return member;
    return NULL;
}

/* `tags` of the tree, which is put at its end when there is none. NULL without memory. */
static JsonValue *body_make_tags(Document *document)
{
    JsonValue *tags = body_find_tags(document);

    if (tags)
        return tags;
    tags = arena_alloc(&document->arena, sizeof(*tags));
    if (!tags)
        return NULL;
    *tags = (JsonValue){.type = JSON_ARRAY, .key = "tags", .key_size = strlen("tags")};
    body_append(document->root, tags);
    return tags;
}

/* Adds "elementd.OWNER", or with an instance "elementd.OWNER.INSTANCE". */
static int body_add_tag(Document *document, JsonValue *tags, const char *owner,
                        const char *instance)
{
    size_t owner_size = strlen(owner), instance_size = instance ? strlen(instance) : 0;
    size_t size = strlen(BODY_TAG_PREFIX) + owner_size + (instance ? 1 + instance_size : 0);
    JsonValue *tag = arena_alloc(&document->arena, sizeof(*tag));
    char *text = arena_alloc(&document->arena, size + 1), *end;

    if (!tag || !text)
        return -ENOMEM;
    end = mempcpy(text, BODY_TAG_PREFIX, strlen(BODY_TAG_PREFIX));
    end = mempcpy(end, owner, owner_size);
    if (instance)
        (void)mempcpy(mempcpy(end, ".", 1), instance, instance_size);
    tag->type = JSON_STRING;
    tag->size = size;
    tag->text = text;
    body_append(tags, tag);
    return 0;
}

/* The digests of both parts of a body, whose tags are complete. 0, BODY_E_TOO_BIG or -ENOMEM. */
static int body_digest(Document *document, const DigestKey *key, Digest *ret_labels_digest,
                       Digest *ret_body_digest)
{
    /* In one buffer, which is full when the whole is too big: that has a comma for the "}{" between its parts. */
    Buffer buffer = BUFFER_INIT(BODY_BYTES_MAX + 1);
    size_t rest_size = 0;
    int r;

    r = body_write_part(document, BODY_REST, &buffer);
    if (r == 0) {
        rest_size = buffer_size(&buffer);
        r = body_write_part(document, BODY_LABELS, &buffer);
    }
    if (r == 0) {
        *ret_body_digest = digest_compute(key, buffer_data(&buffer), rest_size);
        *ret_labels_digest = digest_compute(key, buffer_data(&buffer) + rest_size,
                                            buffer_size(&buffer) - rest_size);
    }
    buffer_deinit(&buffer);
    return r;
}

static int body_write_whole(Document *document, Secret **ret_body)
{
    Buffer buffer = BUFFER_INIT(BODY_BYTES_MAX);
    int r;

    r = body_write_part(document, BODY_ALL, &buffer);
    if (r == 0)
        r = secret_new_take(&buffer, ret_body);
    buffer_deinit(&buffer);
    return r;
}

int body_write(Document *document, const char *owner, const char *instance, const DigestKey *key,
               Secret **ret_body, Digest *ret_labels_digest, Digest *ret_body_digest)
{
    Digest labels, rest;
    JsonValue *tags;
    int r;

    tags = body_make_tags(document);
    r = tags ? body_add_tag(document, tags, owner, NULL) : -ENOMEM;
    if (r == 0)
        r = body_add_tag(document, tags, owner, instance);
    if (r == 0)
        r = body_digest(document, key, &labels, &rest);
    if (r == 0 && ret_body)
        r = body_write_whole(document, ret_body);
    if (r != 0)
        return r;
    *ret_labels_digest = labels;
    *ret_body_digest = rest;
    return 0;
}

int body_format_labels(const Secret *body, Secret **ret_labels)
{
    Arena arena = ARENA_INIT(json_value_arena_max(BODY_BYTES_MAX));
    Buffer buffer = BUFFER_INIT(BODY_BYTES_MAX);
    JsonWriter writer;
    JsonValue *root;
    int r;

    r = json_value_parse(&arena, secret_reveal(body), secret_size(body), 0, &root, NULL);
    assert(r <= 0); /* body_write() has written it */
    if (r == 0) {
        json_writer_begin(&writer, &buffer);
        body_write_members(&writer, root, BODY_LABELS);
        r = json_writer_end(&writer);
        assert(r <= 0); /* it is a part of what fitted */
    }
    if (r == 0)
        r = secret_new_take(&buffer, ret_labels);
    buffer_deinit(&buffer);
    arena_deinit(&arena);
    return r;
}
