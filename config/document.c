#include "config/document.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"

/* Bytes from one position that is remembered to the next, and how many such there are in the largest file. */
#define DOCUMENT_MARK_BYTES 512
#define DOCUMENT_MARKS      (CONFIG_FILE_BYTES_MAX / DOCUMENT_MARK_BYTES)
#define DOCUMENT_MARKS_SIZE (DOCUMENT_MARKS * sizeof(JsonPosition))

/* What an instance adds to its tree: each string once more, with its references replaced; and the positions. */
#define DOCUMENT_ARENA_EXTRA (2 * BODY_BYTES_MAX + DOCUMENT_MARKS_SIZE)

#define DOCUMENT_PLACEHOLDER       "<INSERT_"
#define DOCUMENT_PLACEHOLDER_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

const char *document_type_words(JsonType type)
{
    switch (type) {
    case JSON_NULL:
        return "null";
    case JSON_BOOLEAN:
        return "a boolean";
    case JSON_NUMBER:
        return "a number";
    case JSON_STRING:
        return "a string";
    case JSON_ARRAY:
        return "an array";
    case JSON_OBJECT:
        return "an object";
    }
    assert(false);
    return NULL;
}

/* ---- positions ---- */

/* Not from the start of the text each time: a hostile one may have as many problems as it has keys. */
JsonPosition document_locate(Document *document, size_t offset)
{
    static const JsonPosition start_at = {1, 1};
    const char *text = document->source->text;
    size_t mark = offset / DOCUMENT_MARK_BYTES;

    assert(offset <= document->source->size);
    if (!document->marks) {
        document->marks = arena_alloc(&document->arena, DOCUMENT_MARKS_SIZE);
        if (!document->marks)
            return json_locate(text, 0, start_at, offset); /* slower, but as right */
        document->marks[document->n_marks++] = start_at;
    }
    if (mark >= DOCUMENT_MARKS)
        mark = DOCUMENT_MARKS - 1; /* a text that is no file */
    for (size_t n = document->n_marks; n <= mark; n = ++document->n_marks)
        document->marks[n] = json_locate(text, (n - 1) * DOCUMENT_MARK_BYTES,
                                         document->marks[n - 1], n * DOCUMENT_MARK_BYTES);
    return json_locate(text, mark * DOCUMENT_MARK_BYTES, document->marks[mark], offset);
}

/* ---- placeholders ---- */

/* The first placeholder in `text`, or NULL. */
static const char *document_find_placeholder(const char *text, size_t size, size_t *ret_size)
{
    const char *end = text + size;

    /* In nearly all strings there is none, and memmem(3) prepares its search each time. */
    if (!memchr(text, *DOCUMENT_PLACEHOLDER, size))
        return NULL;
    while ((text = memmem(text, (size_t)(end - text), DOCUMENT_PLACEHOLDER,
                          strlen(DOCUMENT_PLACEHOLDER)))) {
        const char *name = text + strlen(DOCUMENT_PLACEHOLDER);
        size_t n = 0;

        /* Behind the text stands a NUL, which is in no set of characters. */
        while (name + n < end && name[n] && strchr(DOCUMENT_PLACEHOLDER_CHARS, name[n]))
            n++;
        if (n > 0 && name + n < end && name[n] == '>') {
            *ret_size = strlen(DOCUMENT_PLACEHOLDER) + n + 1;
            return text;
        }
        text = name;
    }
    return NULL;
}

bool document_has_placeholder(const JsonValue *value)
{
    size_t size;

    return value->type == JSON_STRING &&
           document_find_placeholder(value->text, value->size, &size) != NULL;
}

static void document_check_placeholders(Document *document, const JsonValue *value)
{
    const char *text = value->text, *end = text + value->size;
    size_t size;

    while ((text = document_find_placeholder(text, (size_t)(end - text), &size))) {
        document_error(document, value->at, "placeholder %.*s is left in: replace it by the value",
                       (int)(size < 80 ? size : 80), text);
        text += size;
    }
}

/* ---- duplicates ---- */

typedef struct DocumentMember {
    const JsonValue *value;
    size_t index;
} DocumentMember;

static int document_compare_keys(const DocumentMember *a, const DocumentMember *b)
{
    size_t a_size = a->value->key_size, b_size = b->value->key_size;
    int r = memcmp(a->value->key, b->value->key, a_size < b_size ? a_size : b_size);

    if (r != 0)
        return r;
    return a_size < b_size ? -1 : a_size > b_size;
}

/* By key, and members of one key in the order of the document. */
static int document_compare_members(const void *left, const void *right)
{
    const DocumentMember *a = left, *b = right;
    int r = document_compare_keys(a, b);

    if (r != 0)
        return r;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void document_report_duplicate(Document *document, const JsonValue *first,
                                      const JsonValue *second)
{
    JsonPosition first_at = document_locate(document, first->key_at);

    document_error(document, second->key_at, "duplicate key \"%.64s\": it stands already at %u:%u",
                   second->key, first_at.line, first_at.column);
}

/* Nearly all objects: so few members that comparing each with those before it costs less than sorting them. */
#define DOCUMENT_FEW_MEMBERS 8

static void document_check_few(Document *document, const JsonValue *object)
{
    JSON_VALUE_FOREACH(member, object)
        for (const JsonValue *first = object->first; first != member; first = first->next)
            if (first->key_size == member->key_size &&
                memcmp(first->key, member->key, member->key_size) == 0) {
                document_report_duplicate(document, first, member);
                break;
            }
}

/* All members of `object` whose key another had before; json_value_find_duplicate() tells of one only. */
static int document_check_duplicates(Document *document, const JsonValue *object)
{
    _cleanup_(freep) DocumentMember *members = NULL;
    const DocumentMember *first;
    size_t n = 0;

    if (object->n_children <= DOCUMENT_FEW_MEMBERS) {
        document_check_few(document, object);
        return 0;
    }
    members = calloc(object->n_children, sizeof(*members));
    if (!members)
        return -ENOMEM;
    JSON_VALUE_FOREACH(member, object) {
        members[n] = (DocumentMember){member, n};
        n++;
    }
    qsort(members, n, sizeof(*members), document_compare_members);
    first = &members[0];
    for (size_t i = 1; i < n; i++) {
        if (document_compare_keys(first, &members[i]) != 0)
            first = &members[i];
        else
            document_report_duplicate(document, first->value, members[i].value);
    }
    return 0;
}

/* ---- the whole document ---- */

/* As deep as the reader's JSON_DEPTH_MAX lets a tree be. */
static int document_check(Document *document, const JsonValue *value)
{
    int r;

    if (value->type == JSON_STRING) {
        document_check_placeholders(document, value);
        return 0;
    }
    if (value->type == JSON_OBJECT) {
        r = document_check_duplicates(document, value);
        if (r < 0)
            return r;
    }
    JSON_VALUE_FOREACH(child, value) {
        r = document_check(document, child);
        if (r < 0)
            return r;
    }
    return 0;
}

int document_init(Document *ret_document, const DocumentSource *source, Problems *problems)
{
    Document *document = ret_document;
    JsonError error = {};
    int r;

    *document = (Document){.source = source, .problems = problems};
    if (!source->text) {
        assert(problems->n_errors > 0);
        return DOCUMENT_E_BROKEN;
    }
    arena_init(&document->arena, json_value_arena_max(source->size) + DOCUMENT_ARENA_EXTRA);
    r = json_value_parse(&document->arena, source->text, source->size, JSON_COMMENTS,
                         &document->root, &error);
    if (r < 0)
        return r;
    if (r == JSON_E_SYNTAX) {
        problems_add(problems, PROBLEM_ERROR, source->file, error.at, "%s", error.message);
        return DOCUMENT_E_BROKEN;
    }
    if (document->root->type != JSON_OBJECT) {
        document_error(document, document->root->at, "the document must be an object, but is %s",
                       document_type_words(document->root->type));
        return DOCUMENT_E_BROKEN;
    }
    return document_check(document, document->root);
}

void document_deinit(Document *document)
{
    arena_deinit(&document->arena);
    *document = (Document){};
}
