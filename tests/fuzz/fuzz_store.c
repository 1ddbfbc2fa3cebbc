/*
 * One text as the records document: read, written, read again.
 *
 * Beyond not crashing: what is refused says why and leaves nothing behind, what is read is sound, and what is written of
 * it is read as the same again.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "config/instance.h"
#include "daemon/store_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(), also in a build without assertions. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void check_record(const Record *record)
{
    CHECK(record->n_refs == 1);
    CHECK(!record->name || instance_name_is_valid(record->name));
    CHECK(record->id >= 0);
    CHECK(!record->account || strlen(record->account) <= NAME_BYTES_MAX);
    CHECK(secret_size(record->token) <= TOKEN_BYTES_MAX);
    CHECK(!record->rare->failure || strlen(record->rare->failure) <= 4 * PROBLEM_BYTES_MAX);
}

static void check_used(const Record *record)
{
    check_record(record);
    CHECK(record->name && record->rare->orphan == RECORD_IN_USE);
    CHECK((record->id != 0) == (record->token != NULL));
}

/* What orphans_add() asserts. */
static void check_orphan(const Record *record)
{
    check_record(record);
    CHECK(record->id > 0 && record->url && !record->token);
    CHECK(record->rare->orphan > RECORD_IN_USE && record->rare->orphan <= RECORD_UNCLAIMED);
}

static void check_snapshot(const Snapshot *snapshot)
{
    CHECK(snapshot->n_records <= INSTANCES_MAX);
    CHECK(snapshot->n_pauses <= ACCOUNTS_MAX);
    for (size_t i = 0; i < snapshot->n_records; i++)
        check_used(snapshot->records[i]);
    CHECK(snapshot->n_orphans <= ORPHANS_MAX);
    for (size_t i = 0; i < snapshot->n_orphans; i++)
        check_orphan(snapshot->orphans[i]);
    for (size_t i = 0; i < snapshot->n_pauses; i++)
        CHECK(snapshot->pauses[i].account && strlen(snapshot->pauses[i].account) <= NAME_BYTES_MAX);
}

/* Whether it was read; then `written` is what is written of it. */
static bool run(const char *text, size_t size, Buffer *written, unsigned *ret_n_broken)
{
    _cleanup_(snapshot_deinit) Snapshot snapshot = {};
    _cleanup_(freep) char *problem = NULL;
    int r;

    r = store_document_parse(text, size, &snapshot, ret_n_broken, &problem);
    CHECK(r == 0 || r == STORE_DOCUMENT_E_BROKEN);
    CHECK((r == 0) == !problem);
    if (r != 0) {
        CHECK(utf8_is_valid(problem, strlen(problem)) && !strchr(problem, '\n'));
        CHECK(!snapshot.records && !snapshot.orphans && !snapshot.pauses);
        return false;
    }
    check_snapshot(&snapshot);
    CHECK(store_document_format(&snapshot, written) == 0);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(buffer_deinit) Buffer first = BUFFER_INIT(RECORDS_BYTES_MAX);
    _cleanup_(buffer_deinit) Buffer second = BUFFER_INIT(RECORDS_BYTES_MAX);
    unsigned n_broken = 0;

    if (!run(size > 0 ? (const char *)data : "", size, &first, &n_broken))
        return 0;
    CHECK(run(buffer_data(&first), buffer_size(&first), &second, &n_broken));
    CHECK(n_broken == 0);
    CHECK(buffer_size(&first) == buffer_size(&second));
    CHECK(memcmp(buffer_data(&first), buffer_data(&second), buffer_size(&first)) == 0);
    return 0;
}
