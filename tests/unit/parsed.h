#pragma once

/*
 * Instance files from texts: "i.json", checked with the owner "me", the accounts "default" and "eu", and a list
 * in the settings that has "unit:a.service".
 */

#include "base/secret.h"
#include "config/instance.h"

/* What no message may hold: it stands wherever a secret could. parsed_with() sees to it. */
#define PARSED_CANARY "s3cr3t-canary"

/* A member that makes an instance file complete, and what our tags are in its body. */
#define PARSED_ELEMENT "\"element\": {\"key\": \"jira\"}"
#define PARSED_TAGS    "\"tags\":[\"elementd.me\",\"elementd.me.i\"]"

extern const Account parsed_default_account;
extern const Account parsed_eu_account;
extern Account *const parsed_accounts[2];

typedef struct ParsedContext {
    Settings settings;
    InstanceContext context;
} ParsedContext;

/* Release by acl_deinit(&context->settings.allow). */
void parsed_context_init(ParsedContext *ret_context);

/* The instance that `text` declares; asserts what is told of it. The caller frees. */
Instance *parsed_with(const ParsedContext *context, const char *text, bool is_world_readable,
                      const char *told);
Instance *parsed_mode(const char *text, bool is_world_readable, const char *told);
Instance *parsed(const char *text, const char *told);

/* The body that goes out of it; the caller's. NULL when it makes none. */
Secret *parsed_body(const char *text);
