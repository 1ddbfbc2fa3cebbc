#include "config/config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "config/dropin.h"

#define CONFIG_SETTINGS_FILE   "elementd.json"
#define CONFIG_ACCOUNTS_FOLDER "accounts.d"

/* Declares what one file holds, broken or not; what is wrong is in or goes to `problems`. 0 or -ENOMEM. */
typedef int (*ConfigAdd)(Config *config, const DocumentSource *source, const DigestKey *key,
                         Problems *problems);

/* ---- ownership ---- */

static Config *config_free(Config *config)
{
    if (!config)
        return NULL;
    for (size_t i = 0; i < config->n_instances; i++)
        instance_free(config->instances[i]);
    free(config->instances);
    for (size_t i = 0; i < config->n_accounts; i++)
        account_free(config->accounts[i]);
    free(config->accounts);
    settings_deinit(&config->settings);
    problems_deinit(&config->problems);
    free(config);
    return NULL;
}

Config *config_ref(Config *config)
{
    if (config) {
        assert(config->n_refs > 0);
        config->n_refs++;
    }
    return config;
}

Config *config_unref(Config *config)
{
    if (!config)
        return NULL;
    assert(config->n_refs > 0);
    return --config->n_refs == 0 ? config_free(config) : NULL;
}

/* ---- one file ---- */

/* Reads a drop-in, has it added, and moves its problems behind those of the files before it. */
static int config_load_file(Config *config, const Dropin *dropin, const DigestKey *key,
                            ConfigAdd add, bool *ret_is_masked)
{
    Buffer text = BUFFER_INIT(CONFIG_FILE_BYTES_MAX);
    DocumentSource source = {.name = dropin->name, .file = dropin->file};
    Problems problems = {};
    int r;

    r = dropin_read(dropin, &text, &problems, &source.is_world_readable);
    *ret_is_masked = r == DROPIN_E_MASKED;
    if (r == 0) {
        source.text = buffer_data(&text);
        source.size = buffer_size(&text);
    }
    if (r == 0 || r == DROPIN_E_REFUSED)
        r = add(config, &source, key, &problems);
    problems_move(&config->problems, &problems);
    buffer_deinit(&text);
    return r < 0 ? r : 0;
}

static int config_add_settings(Config *config, const DocumentSource *source, const DigestKey *key,
                               Problems *problems)
{
    (void)key;
    return settings_parse(source, source->file, problems, &config->settings);
}

static int config_add_account(Config *config, const DocumentSource *source, const DigestKey *key,
                              Problems *problems)
{
    Account *account;
    int r;

    (void)key;
    r = account_parse(source, problems, &account);
    if (r < 0)
        return r;
    config->accounts[config->n_accounts++] = account;
    return 0;
}

static int config_add_instance(Config *config, const DocumentSource *source, const DigestKey *key,
                               Problems *problems)
{
    InstanceContext context = {
        .settings = &config->settings,
        .accounts = config->accounts,
        .n_accounts = config->n_accounts,
        .key = key,
        .previous = config->n_instances > 0 ? config->instances[config->n_instances - 1] : NULL,
    };
    Instance *instance;
    int r;

    r = instance_parse(source, &context, problems, &instance);
    if (r < 0)
        return r;
    config->instances[config->n_instances++] = instance;
    return 0;
}

/* ---- all files ---- */

static int config_load_settings(Config *config, const Paths *paths, const DigestKey *key)
{
    _cleanup_(freep) char *file = paths_join(paths->config[0], CONFIG_SETTINGS_FILE);
    Problems problems = {};
    Dropins dropins;
    bool is_masked = true;
    int r;

    if (!file)
        return -ENOMEM;
    r = dropins_find_file(&dropins, paths, CONFIG_SETTINGS_FILE, &config->problems);
    if (r == 0 && dropins.n_items > 0)
        r = config_load_file(config, &dropins.items[0], key, config_add_settings, &is_masked);
    if (r == 0 && is_masked) {
        r = settings_parse(NULL, file, &problems, &config->settings);
        problems_move(&config->problems, &problems);
    }
    config->is_incomplete |= dropins.is_incomplete;
    dropins_deinit(&dropins);
    return r;
}

/* Loads the files found, of which at most `max` may declare something. */
static int config_load_files(Config *config, const Dropins *dropins, const DigestKey *key,
                             ConfigAdd add, size_t max)
{
    size_t n_loaded = 0;

    for (size_t i = 0; i < dropins->n_items; i++) {
        bool is_masked;
        int r;

        if (n_loaded == max) {
            config->is_incomplete = true;
            problems_add(&config->problems, PROBLEM_ERROR, dropins->items[i].file,
                         (JsonPosition){1, 1},
                         "not used from this file on (%zu in all): there may be %zu at most",
                         dropins->n_items - i, max);
            return 0;
        }
        r = config_load_file(config, &dropins->items[i], key, add, &is_masked);
        if (r < 0)
            return r;
        n_loaded += !is_masked;
    }
    return 0;
}

static size_t config_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int config_load_accounts(Config *config, const Paths *paths, const DigestKey *key)
{
    Dropins dropins;
    int r;

    r = dropins_find(&dropins, paths, CONFIG_ACCOUNTS_FOLDER, ACCOUNTS_MAX, &config->problems);
    if (r == 0) {
        config->accounts = calloc(config_min(dropins.n_items, ACCOUNTS_MAX) + 1, sizeof(Account *));
        r = config->accounts
                ? config_load_files(config, &dropins, key, config_add_account, ACCOUNTS_MAX)
                : -ENOMEM;
    }
    config->is_incomplete |= dropins.is_incomplete;
    dropins_deinit(&dropins);
    return r;
}

static int config_load_instances(Config *config, const Paths *paths, const DigestKey *key)
{
    Dropins dropins;
    int r;

    r = dropins_find(&dropins, paths, INSTANCE_FOLDER, INSTANCES_MAX, &config->problems);
    if (r == 0) {
        config->instances = calloc(config_min(dropins.n_items, INSTANCES_MAX) + 1,
                                   sizeof(Instance *));
        r = config->instances
                ? config_load_files(config, &dropins, key, config_add_instance, INSTANCES_MAX)
                : -ENOMEM;
    }
    config->is_incomplete |= dropins.is_incomplete;
    config->is_bare = !dropins_has_folder(&dropins);
    dropins_deinit(&dropins);
    return r;
}

int config_load_common(const Paths *paths, const DigestKey *key, Config **ret_config)
{
    _cleanup_(config_unrefp) Config *config = calloc(1, sizeof(*config));
    int r;

    if (!config)
        return -ENOMEM;
    config->n_refs = 1;
    r = config_load_settings(config, paths, key);
    if (r == 0)
        r = config_load_accounts(config, paths, key);
    if (r < 0)
        return r;
    if (config->problems.is_out_of_memory)
        return -ENOMEM;
    *ret_config = TAKE_PTR(config);
    return 0;
}

int config_load(const Paths *paths, const DigestKey *key, Config **ret_config)
{
    _cleanup_(config_unrefp) Config *config = NULL;
    int r;

    r = config_load_common(paths, key, &config);
    if (r == 0)
        r = config_load_instances(config, paths, key);
    if (r < 0)
        return r;
    if (config->problems.is_out_of_memory)
        return -ENOMEM;
    *ret_config = TAKE_PTR(config);
    return 0;
}

/* ---- looking up ---- */

static int config_compare_instance(const void *name, const void *member)
{
    const Instance *const *instance = member;

    return strcmp(name, (*instance)->name);
}

bool config_may_declare_instances(const Paths *paths)
{
    return dropins_may_have_any(paths, INSTANCE_FOLDER);
}

const Instance *config_find_instance(const Config *config, const char *name)
{
    Instance **found = NULL;

    if (config->n_instances > 0)
        found = bsearch(name, config->instances, config->n_instances, sizeof(Instance *),
                        config_compare_instance);
    return found ? *found : NULL;
}

const Account *config_find_account(const Config *config, const char *name)
{
    return account_find(config->accounts, config->n_accounts, name);
}
