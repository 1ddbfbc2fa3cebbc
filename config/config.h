#pragma once

/*
 * Config: all of the configuration, cross-checked; an immutable snapshot.
 *
 * config_load() reads the three trees (a file of a higher one hides a file of the same name in a lower one,
 * a link to /dev/null or an empty file masks it) and always yields a Config: what cannot be used carries
 * its problem, the rest is usable. A reload loads another and swaps it in only when it has no errors. It uses
 * no global state and may run on any thread; it blocks (files, name lookups).
 *
 * Limits: CONFIG_FILE_BYTES_MAX, INSTANCES_MAX, ACCOUNTS_MAX
 * Source: UAPI.6 Configuration Files Specification
 */

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/paths.h"
#include "config/account.h"
#include "config/instance.h"
#include "config/problem.h"
#include "config/settings.h"

typedef struct Config {
    unsigned n_refs;
    Settings settings;
    Account **accounts; /* by name */
    size_t n_accounts;
    Instance **instances; /* by name, strcmp() order */
    size_t n_instances;

    /*
     * A directory could not be read, or there were more files than may be loaded: an instance that is not here
     * may be declared all the same, and must not be taken for removed.
     */
    bool is_incomplete;
    bool
        is_bare; /* no tree has a folder of instances: as if /etc were not there, and no word about any instance */
    Problems problems;
} Config;

/* `key` is what digests are made with. 0 or -ENOMEM. */
int config_load(const Paths *paths, const DigestKey *key, Config **ret_config);

/* Only what instances have in common, settings and accounts: two small files, most of the time. No digests are made of it. */
int config_load_common(const Paths *paths, const DigestKey *key, Config **ret_config);

/* Whether there may be instances among the files below `paths`; a glance at their folders, nothing is read. */
bool config_may_declare_instances(const Paths *paths);

/* References are counted on one thread. NULL is fine. config_unref() returns NULL. */
Config *config_ref(Config *config);
Config *config_unref(Config *config);

DEFINE_FREEP(Config, config_unref)

/* Borrowed from `config`, or NULL. */
const Instance *config_find_instance(const Config *config, const char *name);
const Account *config_find_account(const Config *config, const char *name);
