#include "daemon/entry_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "daemon/registry.h"

enum { MANY = 10000 };

typedef struct Fixture {
    Entry entries[MANY];
    Entry *pointers[MANY];
    char names[MANY][NAME_BYTES_MAX + 1];
    EntryIndex index;
} Fixture;

static int setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(fixture->names[i], sizeof(fixture->names[i]), "helpdesk-%zu", i);
        fixture->entries[i].served.name = fixture->names[i];
        fixture->pointers[i] = &fixture->entries[i];
    }
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    Fixture *fixture = *state;

    entry_index_deinit(&fixture->index);
    free(fixture);
    return 0;
}

static Entry *find(const Fixture *fixture, const char *name)
{
    return entry_index_find(&fixture->index, name, strlen(name));
}

/* Each is found, also when it is full to the last that there is room for, and nothing else is. */
static void test_all(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 10, 11, 12, 21, 22, MANY};
    Fixture *fixture = *state;

    for (size_t k = 0; k < N_ELEMENTS(sizes); k++) {
        size_t n = sizes[k];

        assert_int_equal(entry_index_init(&fixture->index, n), 0);
        assert_null(find(fixture, "helpdesk-0"));
        entry_index_fill(&fixture->index, fixture->pointers, n);
        for (size_t i = 0; i < MANY; i++)
            assert_ptr_equal(find(fixture, fixture->names[i]), i < n ? &fixture->entries[i] : NULL);
        entry_index_deinit(&fixture->index);
    }
    assert_null(find(fixture, "helpdesk-0"));
}

/* Told of others, it forgets those from before. */
static void test_anew(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(entry_index_init(&fixture->index, 10), 0);
    entry_index_fill(&fixture->index, fixture->pointers, 10);
    entry_index_fill(&fixture->index, fixture->pointers + 9, 2);
    assert_null(find(fixture, "helpdesk-8"));
    assert_ptr_equal(find(fixture, "helpdesk-9"), &fixture->entries[9]);
    assert_ptr_equal(find(fixture, "helpdesk-10"), &fixture->entries[10]);
}

/* Whatever a client sends is a name or none: never a part of one, and nothing is read behind either. */
static void test_hostile(void **state)
{
    static const char with_nul[] = "helpdesk-1\0x";
    Fixture *fixture = *state;
    char longest[NAME_BYTES_MAX + 2];
    char *tight = malloc(9);

    memset(longest, 'a', sizeof(longest));
    memcpy(fixture->names[0], longest, NAME_BYTES_MAX);
    fixture->names[1][0] = '\0';
    assert_int_equal(entry_index_init(&fixture->index, 3), 0);
    entry_index_fill(&fixture->index, fixture->pointers, 3);
    assert_ptr_equal(entry_index_find(&fixture->index, longest, NAME_BYTES_MAX),
                     &fixture->entries[0]);
    assert_null(entry_index_find(&fixture->index, longest, NAME_BYTES_MAX - 1));
    assert_null(entry_index_find(&fixture->index, longest, NAME_BYTES_MAX + 1));
    assert_ptr_equal(entry_index_find(&fixture->index, "", 0), &fixture->entries[1]);
    assert_ptr_equal(find(fixture, "helpdesk-2"), &fixture->entries[2]);
    assert_null(entry_index_find(&fixture->index, with_nul, sizeof(with_nul) - 1));
    memcpy(fixture->names[1], "helpdesk-1", sizeof("helpdesk-1"));
    entry_index_fill(&fixture->index, fixture->pointers, 3);
    assert_null(entry_index_find(&fixture->index, with_nul, sizeof(with_nul) - 1));
    assert_ptr_equal(entry_index_find(&fixture->index, with_nul, 10), &fixture->entries[1]);
    memcpy(tight, "helpdesk-", 9);
    assert_null(entry_index_find(&fixture->index, tight, 9));
    free(tight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
