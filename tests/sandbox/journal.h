#pragma once

/*
 * Journal: a file of JSON documents, one a line, that is added to.
 *
 * So a change costs one write(2) however many instances there are, and is kept even when the sandbox is
 * killed. It is not synced: losing state in a crash of the machine does not matter here.
 *
 * Limits: JOURNAL_BYTES_MAX
 */

#include "base/buffer.h"
#include "base/json_value.h"

#define JOURNAL_BYTES_MAX ((size_t)512 * 1024 * 1024)

typedef struct Journal {
    int fd; /* -1: nothing is kept */
} Journal;

#define JOURNAL_INIT ((Journal){.fd = -1})

/* Return 0 to go on, or -errno. `document` lives until the return. */
typedef int (*JournalHandler)(void *userdata, const JsonValue *document);

/* Tells `handler` each document of `path`; a line that is no JSON, as a torn last one, is left out. 0 or -errno. */
int journal_replay(const char *path, JournalHandler handler, void *userdata);

/* Replaces the file by the lines of `lines`, and opens it for journal_append(). 0 or -errno. */
int journal_start(Journal *journal, const char *path, Buffer *lines);

/* Adds one line. Does nothing where nothing is kept. 0 or -errno. */
int journal_append(Journal *journal, const Buffer *line);

void journal_deinit(Journal *journal);
