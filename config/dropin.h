#pragma once

/*
 * Drop-ins: the files of one folder in all trees of the configuration.
 *
 * By the UAPI Group's specification: a file of a higher tree hides one of the same name in a lower tree, and
 * masks it when it is empty or a link to /dev/null. A drop-in is NAME.json where NAME is valid
 * (instance_name_is_valid()); a .json file with another name is a problem; what does not end in .json (such as
 * backups and what package managers leave) or begins with a dot is none of ours.
 *
 * The directories stay open while the files are read, each by one name in its directory.
 *
 * Limits: CONFIG_FILE_BYTES_MAX, DROPIN_MULTIPLE
 * Source: UAPI.6 Configuration Files Specification
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/paths.h"
#include "config/problem.h"

/* Files of a folder in all trees, as a multiple of what may be loaded of them: three trees and masks. */
#define DROPIN_MULTIPLE 4

enum {
    DROPIN_E_MASKED = 1, /* declared to be absent */
    DROPIN_E_REFUSED,    /* it cannot be read or must not be used; the problem was added */
};

typedef struct Dropin {
    char *name;       /* without ".json" */
    char *file;       /* full path */
    int directory_fd; /* borrowed from its Dropins */
} Dropin;

typedef struct Dropins {
    int fds[PATHS_N_CONFIG]; /* -1 where a tree has no such folder */
    Dropin *items;           /* by name, in the order of strcmp() */
    size_t n_items;
    size_t capacity;
    bool is_incomplete; /* a directory could not be read: there may be files that are not known */
} Dropins;

/*
 * Finds the drop-ins of `folder` ("instances.d"), of which no more than DROPIN_MULTIPLE times `max` are looked
 * at. Directories that are absent are fine; what else is wrong with them is added to `problems`.
 * 0 or -ENOMEM; *ret_dropins must be followed by dropins_deinit() after either.
 */
int dropins_find(Dropins *ret_dropins, const Paths *paths, const char *folder, size_t max,
                 Problems *problems);

/* As dropins_find(), for the one file `name` ("elementd.json") beside the folders: one item or none. */
int dropins_find_file(Dropins *ret_dropins, const Paths *paths, const char *name,
                      Problems *problems);

/* As dropins_find(), for the one drop-in of this valid name: the one that hides the others, or none. */
int dropins_find_one(Dropins *ret_dropins, const Paths *paths, const char *folder, const char *name,
                     Problems *problems);

void dropins_deinit(Dropins *dropins);

/* Whether any tree may have a drop-in in `folder`: by the first name that could be one, and no more is looked at. */
bool dropins_may_have_any(const Paths *paths, const char *folder);

/* Whether any tree has the folder, be it empty. */
bool dropins_has_folder(const Dropins *dropins);

/*
 * Reads a drop-in into `text`, which is empty and has the ceiling CONFIG_FILE_BYTES_MAX.
 * 0, DROPIN_E_* or -ENOMEM.
 */
int dropin_read(const Dropin *dropin, Buffer *text, Problems *problems,
                bool *ret_is_world_readable);
