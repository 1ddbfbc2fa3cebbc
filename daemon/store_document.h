#pragma once

/*
 * The records document: snapshot to text and back. No file, no thread.
 *
 *     {"version":1,"key":"…","pauses":[{…}],"records":[{…}]}
 */

#include "base/buffer.h"
#include "daemon/store.h"

#define STORE_DOCUMENT_VERSION 1

enum {
    STORE_DOCUMENT_E_BROKEN = 1, /* not JSON, no key, or of a version that is not ours */
    STORE_DOCUMENT_E_FULL,       /* the buffer's ceiling */
};

/*
 * Appends to `text`. For a thread that stands back: it calls thread_give_way(), which sleeps, 16 times at most in each list. 0,
 * STORE_DOCUMENT_E_FULL, -ENOMEM, or -EILSEQ for a text that is not UTF-8 (a bug).
 */
int store_document_format(const Snapshot *snapshot, Buffer *text);

/*
 * `snapshot` must be empty, and stays so unless 0 is returned. Records that are broken in themselves are left out and
 * counted. 0, STORE_DOCUMENT_E_BROKEN (with *ret_problem, which the caller frees) or -ENOMEM.
 */
int store_document_parse(const char *text, size_t size, Snapshot *snapshot, unsigned *ret_n_broken,
                         char **ret_problem);
