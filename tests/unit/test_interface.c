#include "ipc/interface.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/trouble.h"

static void test_find(void **state)
{
    (void)state;
    assert_non_null(interface_find("io.elementd", 11));
    assert_non_null(interface_find("io.elementd.GetToken", 11));
    assert_non_null(interface_find("org.varlink.service", 19));
    assert_null(interface_find("io.elementd", 10));
    assert_null(interface_find("io.elementd", 12)); /* with its NUL */
    assert_null(interface_find("", 0));
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < interfaces_n; i++) {
        _cleanup_(freep) char *line = NULL;

        assert_true(asprintf(&line, "\ninterface %s\n", interfaces[i].name) > 0);
        assert_non_null(strstr(interfaces[i].text, line));
        assert_int_equal(interfaces[i].text[strlen(interfaces[i].text) - 1], '\n');
    }
}

/* Up to version 256, systemd's parser takes comments between symbols only, and refuses the rest of the text otherwise. */
static void test_comments_stand_between_symbols(void **state)
{
    (void)state;
    for (size_t i = 0; i < interfaces_n; i++) {
        int depth = 0;

        for (const char *p = interfaces[i].text; *p; p++) {
            if (*p == '#') {
                assert_int_equal(depth, 0);
                p += strcspn(p, "\n");
            }
            depth += *p == '(' ? 1 : *p == ')' ? -1 : 0;
            assert_in_range(depth, 0, 2);
            assert_true(*p == '\n' || (*p >= ' ' && *p <= '~'));
        }
        assert_int_equal(depth, 0);
    }
}

/* Each kind of problem is described, and no other. */
static void test_kinds_of_problems(void **state)
{
    const char *type = strstr(interface_find("io.elementd", 11)->text, "\ntype ProblemKind (\n");
    unsigned n = 0;

    (void)state;
    assert_non_null(type);
    type = strchr(type + 1, '\n') + 1;
    while (*type == ' ') {
        size_t size = strcspn(type += 2, ",\n");

        assert_int_equal(trouble_find(type, size), TROUBLE_OTHER + n++);
        type = strchr(type, '\n') + 1;
    }
    assert_int_equal(n, TROUBLE_N - TROUBLE_OTHER);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_kinds_of_problems),
        cmocka_unit_test(test_comments_stand_between_symbols),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
