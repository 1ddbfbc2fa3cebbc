#include "ipc/credential_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define NAME(text) "\0" text, sizeof(text)

static void test_cases(void **state)
{
    static const struct {
        const char *name;
        size_t size;
        const char *unit; /* NULL: it is none */
        const char *id;
    } cases[] = {
        {NAME("0/unit/a.service/x"), "a.service", "x"},
        {NAME("deadbeef01234567/unit/a.service/x.authorization"), "a.service", "x.authorization"},
        {NAME("f/unit/a@b-c:d_e\\x2d.service/A.1_-"), "a@b-c:d_e\\x2d.service", "A.1_-"},
        {NAME("f/unit/a.service/with space"), "a.service", "with space"},
        {NAME("f/unit/a.service/..x"), "a.service", "..x"},
        {NAME("deadbeef012345678/unit/a.service/x"), NULL, NULL}, /* 17 digits */
        {NAME("DEADBEEF/unit/a.service/x"), NULL, NULL},
        {NAME("0x1/unit/a.service/x"), NULL, NULL},
        {NAME("/unit/a.service/x"), NULL, NULL},
        {NAME("f/user/a.service/x"), NULL, NULL},
        {NAME("f/unit//x"), NULL, NULL},
        {NAME("f/unit/a.service/"), NULL, NULL},
        {NAME("f/unit/a.service"), NULL, NULL},
        {NAME("f/unit/a.service/x/y"), NULL, NULL},
        {NAME("f/unit/a.service/."), NULL, NULL},
        {NAME("f/unit/a.service/.."), NULL, NULL},
        {NAME("f/unit/a service/x"), NULL, NULL},
        {NAME("f/unit/a.service/x\n"), NULL, NULL},
        {NAME("f/unit/a.service/\177"), NULL, NULL},
        {NAME("f/unit/a.service/\xc3\xa4"), NULL, NULL},
        {NAME("f/unit/a.service/x\0"), NULL, NULL},
        {NAME("f/unit/a.service\0/x"), NULL, NULL},
        {NAME(""), NULL, NULL},
        {"\0", 0, NULL, NULL},
        {"f/unit/a.service/x", 18, NULL, NULL}, /* a path, and not an abstract name */
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        CredentialName name;
        int r = credential_name_parse(cases[i].name, cases[i].size, &name);

        if (r != (cases[i].unit ? 0 : CREDENTIAL_NAME_E_SYNTAX))
            fail_msg("case %zu: %d", i, r);
        if (!cases[i].unit)
            continue;
        assert_string_equal(name.unit, cases[i].unit);
        assert_string_equal(name.id, cases[i].id);
    }
}

/* An address of the kernel's greatest length, and one byte more. */
static void test_longest(void **state)
{
    static const char head[] = "\0f/unit/";
    char text[CREDENTIAL_NAME_BYTES_MAX + 2];
    CredentialName name;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text, head, sizeof(head) - 1);
    text[CREDENTIAL_NAME_BYTES_MAX - 1] = '/';
    assert_int_equal(credential_name_parse(text, CREDENTIAL_NAME_BYTES_MAX + 1, &name), 0);
    assert_int_equal(strlen(name.unit), CREDENTIAL_NAME_BYTES_MAX - sizeof(head));
    assert_string_equal(name.id, "a");
    assert_int_equal(credential_name_parse(text, CREDENTIAL_NAME_BYTES_MAX + 2, &name),
                     CREDENTIAL_NAME_E_SYNTAX);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
