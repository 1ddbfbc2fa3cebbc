#include "tests/unit/filled.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/declared.h"

int filled_setup(void **state)
{
    Filled *fixture = calloc(1, sizeof(*fixture));

    fixture->config = declared_new();
    fixture->account = declared_add_account(fixture->config, "default", FILLED_URL);
    registry_init(&fixture->registry);
    *state = fixture;
    return 0;
}

int filled_teardown(void **state)
{
    Filled *fixture = *state;

    registry_deinit(&fixture->registry);
    gates_deinit(&fixture->gates);
    store_load_deinit(&fixture->load);
    config_unref(fixture->config);
    free(fixture);
    return 0;
}

Instance *filled_declare(Filled *fixture, const char *name)
{
    return declared_add_instance(fixture->config, name, "jira", fixture->account);
}

Record *filled_record(const char *name, const char *token)
{
    Record *record;

    assert_int_equal(record_new(name, &record), 0);
    if (token) {
        record->id = 42;
        record->token = declared_secret(token);
    }
    return record;
}

Record *filled_add_record(Filled *fixture, const char *name, const char *token)
{
    Snapshot *snapshot = &fixture->load.snapshot;
    Record *record = filled_record(name, token);

    snapshot->records = reallocarray(snapshot->records, snapshot->n_records + 1,
                                     sizeof(*snapshot->records));
    snapshot->records[snapshot->n_records++] = record;
    return record;
}

void filled_fill(Filled *fixture)
{
    assert_int_equal(gates_apply(&fixture->gates, fixture->config), 0);
    assert_int_equal(registry_fill(&fixture->registry, fixture->config, &fixture->load,
                                   &fixture->gates, FILLED_NOW),
                     0);
}

Entry *filled_find(const Filled *fixture, const char *name)
{
    return registry_find(&fixture->registry, name, strlen(name));
}

void filled_assert_serves(const Entry *entry, const char *token)
{
    assert_ptr_equal(entry->served.token, entry->served.token);
    if (!token) {
        assert_null(entry->served.token);
        assert_int_equal(entry->served.id, 0);
        return;
    }
    assert_non_null(entry->served.token);
    assert_string_equal(secret_reveal(entry->served.token), token);
    assert_int_equal(entry->served.id, 42);
}

uint64_t filled_begin_commit(Filled *fixture)
{
    Snapshot snapshot = {};
    uint64_t generation = registry_snapshot(&fixture->registry, &snapshot);

    assert_true(generation > 0);
    snapshot_deinit(&snapshot);
    return generation;
}
