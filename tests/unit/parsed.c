#include "tests/unit/parsed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/instance_body.h"
#include "tests/unit/told.h"

static const DigestKey parsed_key = {.bytes = {1, 2, 3}};

const Account parsed_default_account = {.name = (char *)"default"};
const Account parsed_eu_account = {.name = (char *)"eu"};
Account *const parsed_accounts[2] = {(Account *)&parsed_default_account,
                                     (Account *)&parsed_eu_account};

void parsed_context_init(ParsedContext *ret_context)
{
    *ret_context = (ParsedContext){
        .settings = {.owner = (char *)"me"},
        .context = {.accounts = parsed_accounts, .n_accounts = 2, .key = &parsed_key},
    };
    ret_context->context.settings = &ret_context->settings;
    assert_int_equal(acl_add(&ret_context->settings.allow, "unit:a.service"), 0);
}

Instance *parsed_with(const ParsedContext *context, const char *text, bool is_world_readable,
                      const char *told)
{
    DocumentSource source = {
        .name = "i",
        .file = "i.json",
        .text = text,
        .size = strlen(text),
        .is_world_readable = is_world_readable,
    };
    Problems problems = {};
    Instance *instance = NULL;

    assert_int_equal(instance_parse(&source, &context->context, &problems, &instance), 0);
    for (size_t i = 0; i < problems.n_items; i++)
        assert_null(strstr(problems.items[i].message, PARSED_CANARY));
    if (problems.n_errors > 0) {
        assert_non_null(instance->problem);
        assert_false(instance->has_body);
    }
    told_assert_all(&problems, NULL, told);
    assert_string_equal(instance->name, "i");
    return instance;
}

Instance *parsed_mode(const char *text, bool is_world_readable, const char *told)
{
    ParsedContext context;
    Instance *instance;

    parsed_context_init(&context);
    instance = parsed_with(&context, text, is_world_readable, told);
    acl_deinit(&context.settings.allow);
    return instance;
}

Instance *parsed(const char *text, const char *told)
{
    return parsed_mode(text, false, told);
}

Secret *parsed_body(const char *text)
{
    DocumentSource source = {.name = "i", .file = "i.json", .text = text, .size = strlen(text)};
    Problems problems = {};
    InstanceBody body;

    assert_int_equal(instance_body_parse(&source, "me", &parsed_key, &problems, &body), 0);
    problems_deinit(&problems);
    return body.body;
}
