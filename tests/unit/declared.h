#pragma once

/*
 * A configuration made by hand, for what comes behind its reading.
 */

#include "config/config.h"

/* The owner is "o"; without accounts and instances. The caller's, see config_unref(). */
Config *declared_new(void);

/* Both are to be added in the order of their names, and accounts before their instances. Borrowed. */
Account *declared_add_account(Config *config, const char *name, const char *url);
Instance *declared_add_instance(Config *config, const char *name, const char *element,
                                const Account *account);

/* A shared text that says this, or NULL; the caller's. */
const char *declared_text(const char *text);

/* A secret of this text; the caller's. */
Secret *declared_secret(const char *text);
