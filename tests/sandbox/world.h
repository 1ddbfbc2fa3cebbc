#pragma once

/*
 * World: all that the platform knows. Elements, accounts, instances and the settings of its behaviour.
 *
 * No loop, no clock but for the dates it notes. Where a state file is given, every change is in it before
 * the call that made it returns.
 *
 * Limits: WORLD_*_MAX
 */

#include "tests/sandbox/catalogue.h"
#include "tests/sandbox/instance.h"
#include "tests/sandbox/journal.h"

#define WORLD_INSTANCES_MAX 200000
#define WORLD_ACCOUNTS_MAX  1024

/* Tags that one listing may ask for. */
#define WORLD_QUERY_TAGS_MAX 32

enum {
    WORLD_E_FULL = 1,
    WORLD_E_EXISTS, /* an instance of that id, or an account with those secrets */
};

typedef struct Account {
    int64_t id;
    char *user;
    char *organization;
    bool is_revoked;
} Account;

typedef struct WorldSettings {
    usec_t create_delay; /* of POST /instances */
    bool is_any_tag;     /* several tags[] mean one of them; else all of them */
    bool is_tags_as_objects;
    bool is_sample_answer;
    int64_t page_max;
} WorldSettings;

typedef struct World {
    Catalogue catalogue;
    Account *accounts[WORLD_ACCOUNTS_MAX];
    size_t n_accounts;
    Instance **instances; /* by rising id */
    size_t n_instances;
    size_t capacity;
    int64_t next_id;
    uint64_t n_created; /* by requests, since the start */
    WorldSettings settings;
    Journal journal;
} World;

/* What a listing asks for; all borrowed. */
typedef struct WorldQuery {
    int64_t account;
    const char *tags[WORLD_QUERY_TAGS_MAX];
    size_t n_tags;
    const char *search; /* NULL: any name */
} WorldQuery;

/*
 * With the first account. `state` is the file in which all is kept and from which it is read, NULL: memory
 * only. 0 or -errno; world_deinit() either way.
 */
int world_init(World *world, const char *user, const char *organization, const char *state);
void world_deinit(World *world);

/* ---- accounts ---- */

/* NULL: none, or revoked. Borrowed. */
Account *world_find_account(const World *world, const char *user, const char *organization);

/* 0, WORLD_E_FULL, WORLD_E_EXISTS or -errno. */
int world_add_account(World *world, const char *user, const char *organization,
                      Account **ret_account);

/* Gives an account other secrets; its instances stay its own. 0 or -errno. */
int world_change_account(World *world, Account *account, const char *user,
                         const char *organization);
int world_revoke_account(World *world, Account *account);

/* ---- instances ---- */

/* NULL where there is none. Borrowed until it is removed. */
Instance *world_find_instance(const World *world, int64_t id);
Instance *world_find_token(const World *world, const char *token);

/* The first that matches with an id above `after`, or NULL. */
Instance *world_next_instance(const World *world, const WorldQuery *query, int64_t after);

/* Takes the instance, and gives it an id where it has 0. 0, or WORLD_E_* or -errno with it freed. */
int world_add_instance(World *world, Instance *instance, Instance **ret_instance);

/* Notes that it was changed. 0 or -errno. */
int world_touch_instance(World *world, Instance *instance);

/* Frees it. 0 or -errno. */
int world_remove_instance(World *world, Instance *instance);
int world_clear_instances(World *world);

/*
 * Sets from an object with the members that instance_write_whole() writes what is there; other members do
 * not matter. 0, INSTANCE_E_INVALID or -ENOMEM.
 */
int world_fill_instance(Instance *instance, const JsonValue *object);
