#include "tests/unit/declared.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

Config *declared_new(void)
{
    Config *config = calloc(1, sizeof(*config));

    assert_non_null(config);
    config->n_refs = 1;
    config->settings.owner = strdup("o");
    config->settings.parallel = 4;
    config->settings.request_timeout = 120 * USEC_PER_SEC;
    config->settings.verify_interval = 3600 * USEC_PER_SEC;
    return config;
}

Secret *declared_secret(const char *text)
{
    Secret *secret;

    assert_int_equal(secret_new(text, strlen(text), &secret), 0);
    return secret;
}

const char *declared_text(const char *text)
{
    const char *shared = NULL;

    if (text)
        assert_int_equal(shared_new(text, strlen(text), NULL, &shared), 0);
    return shared;
}

Account *declared_add_account(Config *config, const char *name, const char *url)
{
    size_t n = config->n_accounts;
    Account *account = calloc(1, sizeof(*account));

    assert_true(account && (n == 0 || strcmp(config->accounts[n - 1]->name, name) < 0));
    account->name = declared_text(name);
    account->url = declared_text(url);
    account->user = declared_secret("user");
    account->organization = declared_secret("organization");
    config->accounts = reallocarray(config->accounts, n + 1, sizeof(*config->accounts));
    assert_non_null(config->accounts);
    config->accounts[config->n_accounts++] = account;
    return account;
}

Instance *declared_add_instance(Config *config, const char *name, const char *element,
                                const Account *account)
{
    size_t n = config->n_instances;
    Instance *instance = calloc(1, sizeof(*instance));

    assert_true(instance && (n == 0 || strcmp(config->instances[n - 1]->name, name) < 0));
    instance->name = declared_text(name);
    assert_int_equal(terms_new(&instance->terms), 0);
    instance->terms->element = declared_text(element);
    instance->terms->account = declared_text(account ? account->name : "default");
    if (account && !account->problem) {
        instance->terms->user = secret_ref(account->user);
        instance->terms->organization = secret_ref(account->organization);
    }
    instance->account = account;
    instance->has_body = true;
    config->instances = reallocarray(config->instances, n + 1, sizeof(*config->instances));
    assert_non_null(config->instances);
    config->instances[config->n_instances++] = instance;
    return instance;
}
