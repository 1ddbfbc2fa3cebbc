#include "config/dropin.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "config/instance.h"
#include "config/trust.h"

#define DROPIN_SUFFIX ".json"

enum {
    DROPINS_E_FOUND = 1, /* no other tree needs to be looked at */
};

static const JsonPosition dropin_start = {1, 1};

static void dropin_deinit(Dropin *dropin)
{
    free(dropin->name);
    free(dropin->file);
    *dropin = (Dropin){};
}

static void dropins_init(Dropins *dropins)
{
    *dropins = (Dropins){};
    for (size_t i = 0; i < PATHS_N_CONFIG; i++)
        dropins->fds[i] = -1;
}

void dropins_deinit(Dropins *dropins)
{
    for (size_t i = 0; i < dropins->n_items; i++)
        dropin_deinit(&dropins->items[i]);
    free(dropins->items);
    for (size_t i = 0; i < PATHS_N_CONFIG; i++)
        closep(&dropins->fds[i]);
    dropins_init(dropins);
}

bool dropins_has_folder(const Dropins *dropins)
{
    for (size_t i = 0; i < PATHS_N_CONFIG; i++)
        if (dropins->fds[i] >= 0)
            return true;
    return false;
}

/* ---- finding ---- */

static void dropin_closedirp(DIR **directory)
{
    if (*directory)
        (void)closedir(*directory);
}

/* Opens one tree's directory into *ret_fd, -1 when it is absent or cannot be read. */
static void dropins_open(Dropins *dropins, const char *path, Problems *problems, int *ret_fd)
{
    struct stat st;

    *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_fd < 0) {
        if (errno == ENOENT)
            return;
        dropins->is_incomplete = true;
        problems_add(problems, PROBLEM_ERROR, path, dropin_start, "cannot be opened: %s",
                     error_text(errno));
        return;
    }
    if (fstat(*ret_fd, &st) == 0 && trust_refusal(&st))
        problems_add(problems, PROBLEM_WARNING, path, dropin_start,
                     "who may write this directory decides what is declared, and %s",
                     trust_refusal(&st));
}

static int dropins_append(Dropins *dropins, int directory_fd, const char *path, const char *entry)
{
    Dropin dropin = {.directory_fd = directory_fd};

    if (dropins->n_items == dropins->capacity) {
        size_t capacity = dropins->capacity > 0 ? 2 * dropins->capacity : 64;
        Dropin *items = reallocarray(dropins->items, capacity, sizeof(*items));

        if (!items)
            return -ENOMEM;
        dropins->items = items;
        dropins->capacity = capacity;
    }
    dropin.name = strndup(entry, strlen(entry) - strlen(DROPIN_SUFFIX));
    dropin.file = paths_join(path, entry);
    if (!dropin.name || !dropin.file) {
        dropin_deinit(&dropin);
        return -ENOMEM;
    }
    dropins->items[dropins->n_items++] = dropin;
    return 0;
}

/* Whether a directory's entry is one of ours, with a valid name or not. */
static bool dropin_is_candidate(const char *entry)
{
    size_t size = strlen(entry);

    return entry[0] != '.' && size > strlen(DROPIN_SUFFIX) &&
           strcmp(entry + size - strlen(DROPIN_SUFFIX), DROPIN_SUFFIX) == 0;
}

/* Adds all candidates of the directory that is open as `fd`. */
static int dropins_scan(Dropins *dropins, int fd, const char *path, size_t max, Problems *problems)
{
    _cleanup_(dropin_closedirp) DIR *directory = NULL;
    _cleanup_(closep) int scan_fd = -1;
    const struct dirent *entry;
    int r;

    /* fdopendir(3) takes the descriptor; the one that stays is needed to open the files. */
    scan_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (scan_fd >= 0)
        directory = fdopendir(scan_fd);
    if (!directory)
        goto failed;
    (void)TAKE_FD(scan_fd);
    while ((errno = 0, entry = readdir(directory))) {
        if (!dropin_is_candidate(entry->d_name))
            continue;
        if (dropins->n_items == DROPIN_MULTIPLE * max) {
            dropins->is_incomplete = true;
            problems_add(problems, PROBLEM_ERROR, path, dropin_start,
                         "more than %zu files: not all of them are looked at",
                         DROPIN_MULTIPLE * max);
            return 0;
        }
        r = dropins_append(dropins, fd, path, entry->d_name);
        if (r < 0)
            return r;
    }
    if (errno == 0)
        return 0;
failed:
    dropins->is_incomplete = true;
    problems_add(problems, PROBLEM_ERROR, path, dropin_start, "cannot be read: %s",
                 error_text(errno));
    return 0;
}

/* By name, and files of one name in the order of the trees, whose descriptors `context` are. */
static int dropin_compare(const void *left, const void *right, void *context)
{
    const Dropin *a = left, *b = right;
    const int *fds = context;
    int r = strcmp(a->name, b->name);

    for (size_t i = 0; r == 0 && i < PATHS_N_CONFIG; i++)
        r = (b->directory_fd == fds[i]) - (a->directory_fd == fds[i]);
    return r;
}

/* Whether there is something to be told of a file whose name is invalid: a masked one is meant to be none. */
static bool dropin_is_masked(const Dropin *dropin)
{
    const char *entry = strrchr(dropin->file, '/') + 1;
    struct stat st;

    return fstatat(dropin->directory_fd, entry, &st, 0) == 0 &&
           (trust_is_null_device(&st) || (S_ISREG(st.st_mode) && st.st_size == 0));
}

/* Leaves the first of each name. */
static void dropins_hide(Dropins *dropins)
{
    size_t n = 0;

    for (size_t i = 0; i < dropins->n_items; i++)
        if (n > 0 && strcmp(dropins->items[n - 1].name, dropins->items[i].name) == 0)
            dropin_deinit(&dropins->items[i]);
        else
            dropins->items[n++] = dropins->items[i];
    dropins->n_items = n;
}

/* Leaves those whose names are valid. */
static void dropins_check_names(Dropins *dropins, Problems *problems)
{
    size_t n = 0;

    for (size_t i = 0; i < dropins->n_items; i++) {
        Dropin *dropin = &dropins->items[i];

        if (instance_name_is_valid(dropin->name)) {
            dropins->items[n++] = *dropin;
            continue;
        }
        if (!dropin_is_masked(dropin))
            problems_add(problems, PROBLEM_ERROR, dropin->file, dropin_start,
                         "not used, since its name is not valid: before \"" DROPIN_SUFFIX
                         "\" there must be 1 to %d letters, digits, \".\", \"_\" and \"-\", "
                         "the first of them a letter or digit",
                         NAME_BYTES_MAX);
        dropin_deinit(dropin);
    }
    dropins->n_items = n;
}

int dropins_find(Dropins *ret_dropins, const Paths *paths, const char *folder, size_t max,
                 Problems *problems)
{
    Dropins *dropins = ret_dropins;

    dropins_init(dropins);
    for (size_t i = 0; i < PATHS_N_CONFIG; i++) {
        _cleanup_(freep) char *path = paths_join(paths->config[i], folder);
        int r;

        if (!path)
            return -ENOMEM;
        dropins_open(dropins, path, problems, &dropins->fds[i]);
        if (dropins->fds[i] < 0)
            continue;
        r = dropins_scan(dropins, dropins->fds[i], path, max, problems);
        if (r < 0)
            return r;
    }
    if (dropins->n_items > 0)
        qsort_r(dropins->items, dropins->n_items, sizeof(*dropins->items), dropin_compare,
                dropins->fds);
    dropins_hide(dropins);
    dropins_check_names(dropins, problems);
    return 0;
}

bool dropins_may_have_any(const Paths *paths, const char *folder)
{
    bool has_any = false;

    for (size_t i = 0; i < PATHS_N_CONFIG && !has_any; i++) {
        _cleanup_(freep) char *path = paths_join(paths->config[i], folder);
        DIR *directory = path ? opendir(path) : NULL;
        const struct dirent *entry;

        while (!has_any && directory && (entry = readdir(directory)))
            has_any = dropin_is_candidate(entry->d_name);
        if (directory)
            (void)closedir(directory);
    }
    return has_any;
}

/* Whether tree `i` has `entry` in its directory `path`; then it is the one item. 0, DROPINS_E_FOUND or -ENOMEM. */
static int dropins_look_for(Dropins *dropins, size_t i, const char *path, const char *entry,
                            Problems *problems)
{
    int r;

    dropins_open(dropins, path, problems, &dropins->fds[i]);
    /* A link that leads nowhere is there, and has to be told of. */
    if (dropins->fds[i] < 0 || faccessat(dropins->fds[i], entry, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    r = dropins_append(dropins, dropins->fds[i], path, entry);
    return r < 0 ? r : DROPINS_E_FOUND;
}

int dropins_find_file(Dropins *ret_dropins, const Paths *paths, const char *name,
                      Problems *problems)
{
    int r = 0;

    dropins_init(ret_dropins);
    for (size_t i = 0; i < PATHS_N_CONFIG && r == 0; i++)
        r = dropins_look_for(ret_dropins, i, paths->config[i], name, problems);
    return r < 0 ? r : 0;
}

int dropins_find_one(Dropins *ret_dropins, const Paths *paths, const char *folder, const char *name,
                     Problems *problems)
{
    _cleanup_(freep) char *entry = NULL;
    int r = 0;

    dropins_init(ret_dropins);
    assert(instance_name_is_valid(name));
    if (asprintf(&entry, "%s" DROPIN_SUFFIX, name) < 0) {
        entry = NULL;
        return -ENOMEM;
    }
    for (size_t i = 0; i < PATHS_N_CONFIG && r == 0; i++) {
        _cleanup_(freep) char *path = paths_join(paths->config[i], folder);

        r = path ? dropins_look_for(ret_dropins, i, path, entry, problems) : -ENOMEM;
    }
    return r < 0 ? r : 0;
}

/* ---- reading ---- */

/* What the kernel's answer means to whoever put the file there. */
static const char *dropin_error_text(int error)
{
    switch (error) {
    case -ENOENT:
        return "it is gone, or a link that leads nowhere";
    case -EACCES:
        return "Permission denied: the service's user must be able to read it";
    default:
        return error_text(error);
    }
}

int dropin_read(const Dropin *dropin, Buffer *text, Problems *problems, bool *ret_is_world_readable)
{
    struct stat st;
    int r;

    r = file_read(dropin->directory_fd, strrchr(dropin->file, '/') + 1, text, &st);
    if (r == -ENOMEM)
        return r;
    if (r == FILE_E_NOT_REGULAR && trust_is_null_device(&st))
        return DROPIN_E_MASKED;
    if (r < 0)
        problems_add(problems, PROBLEM_ERROR, dropin->file, dropin_start, "cannot be read: %s",
                     dropin_error_text(r));
    else if (r == FILE_E_NOT_REGULAR)
        problems_add(problems, PROBLEM_ERROR, dropin->file, dropin_start,
                     "not a regular file, nor a link to one");
    else if (trust_refusal(&st))
        problems_add(problems, PROBLEM_ERROR, dropin->file, dropin_start, "not used, since %s",
                     trust_refusal(&st));
    else if (r == FILE_E_TOO_BIG)
        problems_add(problems, PROBLEM_ERROR, dropin->file, dropin_start, "larger than %d bytes",
                     CONFIG_FILE_BYTES_MAX);
    else if (buffer_size(text) == 0)
        return DROPIN_E_MASKED;
    else {
        *ret_is_world_readable = trust_is_world_readable(&st);
        return 0;
    }
    return DROPIN_E_REFUSED;
}
