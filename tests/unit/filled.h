#pragma once

/*
 * A registry filled from a configuration and a document, both made by hand.
 */

#include "daemon/gate.h"
#include "daemon/registry.h"
#include "daemon/store.h"

#define FILLED_NOW (1000 * USEC_PER_SEC) /* of the boot-time clock, when it is filled */
#define FILLED_URL "https://example.com/elements/api-v2"

typedef struct Filled {
    Config *config;
    const Account *account; /* the first of its accounts: "default", at FILLED_URL */
    StoreLoad load;
    Gates gates;
    Registry registry;
} Filled;

/* cmocka's setup and teardown: *state is a Filled, so far empty. */
int filled_setup(void **state);
int filled_teardown(void **state);

/* Of element "jira" and the first account; in the order of names. */
Instance *filled_declare(Filled *fixture, const char *name);

/* A record, with a token (and the id 42) unless that is NULL; the caller may change it until it is handed over. */
Record *filled_record(const char *name, const char *token);

/* The same in what is recorded, in any order; borrowed. */
Record *filled_add_record(Filled *fixture, const char *name, const char *token);

void filled_fill(Filled *fixture);

Entry *filled_find(const Filled *fixture, const char *name);

/* `token` is NULL when nothing is served. */
void filled_assert_serves(const Entry *entry, const char *token);

/* Ends a generation, as a commit does that begins. */
uint64_t filled_begin_commit(Filled *fixture);
