#pragma once

/*
 * Document: one file of the configuration as a checked tree.
 *
 * Here is what holds for every file, whatever it declares: it is JSON with comments, an object, has no key
 * twice and no placeholder of the platform's documentation left in. Reading is apart from checking
 * (config/dropin.h), so that texts in memory can be checked as well.
 *
 * Limits: JSON_DEPTH_MAX, and the arena's ceiling
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/json_value.h"
#include "config/problem.h"

enum {
    DOCUMENT_E_BROKEN = 1, /* no object could be read; the problem was added */
};

/* A file's text and what is known of the file. All is borrowed. */
typedef struct DocumentSource {
    const char *name; /* stem of the file's name */
    const char *file; /* full path, for messages */
    const char *text; /* NULL: it could not be read or must not be used, as its problems say */
    size_t size;
    bool is_world_readable;
} DocumentSource;

typedef struct Document {
    const DocumentSource *source;
    Problems *problems; /* of this file; borrowed */
    Arena arena;        /* holds the tree, and may take what is made of it */
    JsonValue *root;    /* an object */

    /* What document_locate() has counted so far: positions at equal distances from the start on; in the arena. */
    JsonPosition *marks;
    size_t n_marks;
} Document;

/*
 * Reads and checks `source` into *ret_document, which must be followed by document_deinit() whatever comes
 * back. 0 (there may be problems all the same), DOCUMENT_E_BROKEN or -ENOMEM.
 */
int document_init(Document *ret_document, const DocumentSource *source, Problems *problems);

/* Wipes all that was read. Fine on a zeroed struct. */
void document_deinit(Document *document);

/* The line and column of what is at `offset` in the text; 1:1 for 0, which stands for the whole file as well. */
JsonPosition document_locate(Document *document, size_t offset);

/* A problem of `document` at `offset`. */
#define document_error(document, offset, ...)                                                      \
    problems_add((document)->problems, PROBLEM_ERROR, (document)->source->file,                    \
                 document_locate((document), (offset)), __VA_ARGS__)
#define document_error_of(document, trouble, offset, ...)                                          \
    problems_add_of((document)->problems, PROBLEM_ERROR, (trouble), (document)->source->file,      \
                    document_locate((document), (offset)), __VA_ARGS__)
#define document_warning(document, offset, ...)                                                    \
    problems_add((document)->problems, PROBLEM_WARNING, (document)->source->file,                  \
                 document_locate((document), (offset)), __VA_ARGS__)

/* Whether a placeholder is left in the string `value`: it has its problem, and need not be looked at further. */
bool document_has_placeholder(const JsonValue *value);

/* "a string", "an array", …: the type in a sentence; static storage. */
const char *document_type_words(JsonType type);
