#include "base/json_value.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"

/* A node and the text of one digit, each as long as the arena makes it, for the two bytes of `0,`. */
static_assert((sizeof(JsonValue) + 2 * alignof(max_align_t)) / 2 <= JSON_VALUE_ARENA_FACTOR,
              "a tree of the smallest nodes fits");

typedef struct JsonBuilder {
    Arena *arena;
    JsonValue *open[JSON_DEPTH_MAX]; /* containers that are not closed, outermost first */
    unsigned depth;
    JsonValue *root;
    bool is_out_of_memory;
} JsonBuilder;

static int json_value_new(JsonBuilder *builder, const JsonEvent *event, JsonValue **ret_value)
{
    JsonValue *value = arena_alloc(builder->arena, sizeof(*value));

    if (!value)
        return -ENOMEM;
    value->type = event->type;
    value->boolean = event->boolean;
    value->at = event->at;
    if (event->key) {
        value->key = arena_strndup(builder->arena, event->key, event->key_size);
        value->key_size = event->key_size;
        value->key_at = event->key_at;
        if (!value->key)
            return -ENOMEM;
    }
    if (event->text) {
        value->text = arena_strndup(builder->arena, event->text, event->size);
        value->size = event->size;
        if (!value->text)
            return -ENOMEM;
    }
    *ret_value = value;
    return 0;
}

static void json_value_attach(JsonBuilder *builder, JsonValue *value)
{
    JsonValue *parent;

    if (builder->depth == 0) {
        builder->root = value;
        return;
    }
    parent = builder->open[builder->depth - 1];
    if (parent->last)
        parent->last->next = value;
    else
        parent->first = value;
    parent->last = value;
    parent->n_children++;
}

static int json_value_on_event(void *userdata, const JsonEvent *event)
{
    JsonBuilder *builder = userdata;
    JsonValue *value;
    int r;

    if (event->kind == JSON_EVENT_CLOSE) {
        builder->depth--;
        return 0;
    }
    r = json_value_new(builder, event, &value);
    if (r < 0) {
        builder->is_out_of_memory = true;
        return r;
    }
    json_value_attach(builder, value);
    if (event->kind == JSON_EVENT_OPEN)
        builder->open[builder->depth++] = value;
    return 0;
}

int json_value_parse(Arena *arena, const char *text, size_t size, unsigned flags,
                     JsonValue **ret_value, JsonError *ret_error)
{
    JsonBuilder builder = {.arena = arena};
    int r;

    r = json_read(text, size, flags | JSON_NO_PATHS, json_value_on_event, &builder, ret_error);
    if (r == JSON_E_STOPPED) {
        assert(builder.is_out_of_memory);
        return -ENOMEM;
    }
    if (r != 0)
        return r;
    *ret_value = builder.root;
    return 0;
}

const JsonValue *json_value_find(const JsonValue *object, const char *key)
{
    size_t size = strlen(key);

    if (!object || object->type != JSON_OBJECT)
        return NULL;
    JSON_VALUE_FOREACH(child, object)
        if (child->key_size == size && memcmp(child->key, key, size) == 0)
            return child;
    return NULL;
}

typedef struct JsonMember {
    const JsonValue *value;
    size_t index;
} JsonMember;

/* By key, and members of one key in the order of the document. */
static int json_member_compare(const void *a, const void *b)
{
    const JsonMember *left = a, *right = b;
    size_t left_size = left->value->key_size, right_size = right->value->key_size;
    int r;

    r = memcmp(left->value->key, right->value->key,
               left_size < right_size ? left_size : right_size);
    if (r != 0)
        return r;
    if (left_size != right_size)
        return left_size < right_size ? -1 : 1;
    return left->index < right->index ? -1 : left->index > right->index;
}

static bool json_member_is_same(const JsonMember *a, const JsonMember *b)
{
    return a->value->key_size == b->value->key_size &&
           memcmp(a->value->key, b->value->key, a->value->key_size) == 0;
}

int json_value_find_duplicate(const JsonValue *object, const JsonValue **ret_duplicate)
{
    _cleanup_(freep) JsonMember *members = NULL;
    const JsonMember *found = NULL;
    size_t n = 0;

    *ret_duplicate = NULL;
    if (!object || object->type != JSON_OBJECT || object->n_children < 2)
        return 0;
    members = calloc(object->n_children, sizeof(*members));
    if (!members)
        return -ENOMEM;
    JSON_VALUE_FOREACH(child, object) {
        members[n] = (JsonMember){child, n};
        n++;
    }
    assert(n == object->n_children);
    qsort(members, n, sizeof(*members), json_member_compare);
    for (size_t i = 1; i < n; i++)
        if (json_member_is_same(&members[i - 1], &members[i]) &&
            (!found || members[i].index < found->index))
            found = &members[i];
    if (found)
        *ret_duplicate = found->value;
    return 0;
}

bool json_value_is_text(const JsonValue *value)
{
    return value && value->type == JSON_STRING && !memchr(value->text, '\0', value->size);
}
