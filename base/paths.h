#pragma once

/*
 * Where things are: the directories of the daemon and its clients.
 *
 * --root=DIR is put before everything and wins; then what systemd passes by StateDirectory=,
 * RuntimeDirectory= and ConfigurationDirectory= (the first of a colon-separated list); then the
 * compiled-in places.
 *
 * Source: systemd.exec(5); UAPI.6 Configuration Files Specification
 */

#include <stddef.h>

typedef struct Paths {
    /* Trees of configuration, by falling priority; each holds elementd.json, accounts.d and instances.d. */
    char *config[3];
    char *state;   /* records.json */
    char *runtime; /* io.elementd, credentials, http */
} Paths;

#define PATHS_N_CONFIG   3
#define PATHS_SOCKET     "io.elementd"
#define PATHS_CREDENTIAL "credentials"
#define PATHS_HTTP       "http" /* only where systemd starts elementd-http */

/* `root` may be NULL or "". 0 or -ENOMEM; release with paths_deinit(). */
int paths_init(Paths *ret_paths, const char *root);

/* 0 or -ENOMEM; as paths_init(). */
int paths_copy(const Paths *paths, Paths *ret_copy);

/* Fine on a zeroed struct. */
void paths_deinit(Paths *paths);

/* "DIR/NAME"; the caller frees. NULL without memory. */
char *paths_join(const char *directory, const char *name);
