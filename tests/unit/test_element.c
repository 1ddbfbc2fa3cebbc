#include "config/element.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define assert_text_equal(part, expected)                                                          \
    do {                                                                                           \
        assert_int_equal((part).size, strlen(expected));                                           \
        assert_memory_equal((part).text, expected, strlen(expected));                              \
    } while (false)

static bool is_in(ElementText list, ElementText wanted)
{
    ElementText key;

    while (element_next_key(&list, &key))
        if (key.size == wanted.size && memcmp(key.text, wanted.text, key.size) == 0)
            return true;
    return false;
}

/* What a template may put into JSON as it is. */
static void check_keys(ElementText list)
{
    ElementText key, rest = list;

    while (element_next_key(&rest, &key)) {
        ElementText behind = rest;

        assert_true(key.size > 0);
        for (size_t i = 0; i < key.size; i++)
            assert_true(isalnum((unsigned char)key.text[i]) || strchr(".-_", key.text[i]));
        assert_false(is_in(behind, key));
    }
}

static void test_the_whole_catalogue(void **state)
{
    static const char *const authentications[] = {"basic", "apikey", "oauth1", "oauth2", "custom"};
    ElementText before = {"", 0};
    const char *cursor = NULL;
    Element element;
    size_t n = 0;

    (void)state;
    while (element_next(&cursor, &element)) {
        size_t size = before.size < element.key.size ? before.size : element.key.size, known = 0;
        int order = memcmp(before.text, element.key.text, size);
        ElementText secrets = element.secret, key;

        assert_true(order < 0 || (order == 0 && before.size < element.key.size));
        before = element.key;
        check_keys(element.key);
        assert_true(element.name.size > 0 && !memchr(element.name.text, '"', element.name.size));
        for (size_t i = 0; i < N_ELEMENTS(authentications); i++)
            known += element.authentication.size == strlen(authentications[i]) &&
                     memcmp(element.authentication.text, authentications[i],
                            strlen(authentications[i])) == 0;
        assert_int_equal(known, 1);
        assert_true(element.required.size > 0);
        check_keys(element.required);
        check_keys(element.optional);
        while (element_next_key(&secrets, &key))
            assert_int_equal(is_in(element.required, key) + is_in(element.optional, key), 1);
        n++;
    }
    assert_int_equal(n, 157);
}

static void test_find(void **state)
{
    ElementText list, key;
    Element element;

    (void)state;
    assert_true(element_find("jira", &element));
    assert_text_equal(element.key, "jira");
    assert_text_equal(element.name, "JIRA");
    assert_text_equal(element.authentication, "basic");
    list = element.required;
    assert_true(element_next_key(&list, &key));
    assert_text_equal(key, "username");
    assert_false(element_has_secret(&element, key));
    assert_true(element_next_key(&list, &key));
    assert_text_equal(key, "password");
    assert_true(element_has_secret(&element, key));
    assert_true(element_next_key(&list, &key));
    assert_text_equal(key, "base.url");
    assert_false(element_next_key(&list, &key));
    assert_int_equal(element.optional.size, 0);
    assert_false(element_has_secret(&element, (ElementText){"pass", 4}));
    assert_true(element_find("abbyy", &element));   /* the first */
    assert_true(element_find("zuorav2", &element)); /* the last, with optional keys */
    assert_text_equal(element.optional, "username,password");
    assert_text_equal(element.secret, "clientSecret,password");
}

static void test_what_is_not_there(void **state)
{
    static const char *const keys[] = {"", "jir", "jiraa", "JIRA", "#key", "jira\t", "username"};
    Element element;

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(keys); i++)
        assert_false(element_find(keys[i], &element));
}

static void test_near(void **state)
{
    static const struct {
        const char *word, *key;
    } slips[] = {
        {"jria", "jira"},   {"JIRA", "jira"},        {"hubspt", "hubspot"},
        {"Slack", "slack"}, {"Close.io", "closeio"}, {"netsuite crm", "netsuitecrm"},

    };
    char longest[65] = "";
    Element near[3];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(slips); i++) {
        assert_true(element_find_near(slips[i].word, 3, near) > 0);
        assert_text_equal(near[0].key, slips[i].key);
    }
    assert_int_equal(element_find_near("salesforce", 3, near), 3);
    assert_int_equal(element_find_near("salesforce", 2, near), 2);
    assert_int_equal(element_find_near("", 3, near), 0);
    assert_int_equal(element_find_near("qwertzuiop", 3, near), 0);
    memset(longest, 'q', 64);
    assert_int_equal(element_find_near(longest, 3, near), 0);
    assert_int_equal(
        element_find_near("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq", 3,
                          near),
        0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_whole_catalogue),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_near),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
