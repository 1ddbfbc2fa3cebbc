#include "config/consumers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "config/unit_file.h"

#define CONSUMER_SUFFIX ".service"

/* The first systemd in which credentials are a part of starting, whatever the Type= (systemd#32612). */
#define CONSUMER_FINE_SINCE 256

/* Where units are, those that win first. */
static const char *const consumer_folders[] = {
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
};

/* Where systemd's own library is, whose name has its version. */
static const char *const consumer_libraries[] = {
    "/usr/lib/systemd",
    "/usr/lib64/systemd",
    "/usr/lib/x86_64-linux-gnu/systemd",
    "/usr/lib/aarch64-linux-gnu/systemd",
};

#define CONSUMER_LIBRARY "libsystemd-shared-"

typedef struct ConsumerNames {
    char **items;
    size_t n_items;
    size_t max;
} ConsumerNames;

/* ---- names ---- */

static void consumer_names_deinit(ConsumerNames *names)
{
    for (size_t i = 0; i < names->n_items; i++)
        free(names->items[i]);
    free(names->items);
}

/* Takes `name` over, which may be NULL for want of memory. What is beyond the ceiling is passed over. 0 or -ENOMEM. */
static int consumer_names_add(ConsumerNames *names, char *name)
{
    char **items;

    if (!name)
        return -ENOMEM;
    if (names->n_items == names->max) {
        free(name);
        return 0;
    }
    items = reallocarray(names->items, names->n_items + 1, sizeof(*items));
    if (!items) {
        free(name);
        return -ENOMEM;
    }
    names->items = items;
    names->items[names->n_items++] = name;
    return 0;
}

static int consumer_compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool consumer_ends(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);

    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

static void consumer_closedirp(DIR **directory)
{
    if (*directory)
        (void)closedir(*directory);
}

/* The units that have a file or drop-ins in the folder. 0 or -ENOMEM. */
static int consumer_list_units(ConsumerNames *names, const char *folder)
{
    _cleanup_(consumer_closedirp) DIR *directory = opendir(folder);
    int r = 0;

    for (struct dirent *entry; directory && r == 0 && (entry = readdir(directory));) {
        size_t size = strlen(entry->d_name);

        if (consumer_ends(entry->d_name, CONSUMER_SUFFIX ".d"))
            size -= strlen(".d");
        else if (!consumer_ends(entry->d_name, CONSUMER_SUFFIX))
            continue;
        r = consumer_names_add(names, strndup(entry->d_name, size));
    }
    return r;
}

/* ---- the files of a unit ---- */

/* The path of the unit's own file below one of `folders`, or NULL: there is none, it is masked, or it is another's alias. */
static char *consumer_find_file(char *const *folders, const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(consumer_folders); i++) {
        char *path = NULL, target[PATH_MAX];
        const char *base;
        struct stat st;
        ssize_t size;

        if (asprintf(&path, "%s/%s", folders[i], name) < 0)
            return NULL;
        if (lstat(path, &st) < 0) {
            free(path);
            continue;
        }
        if (S_ISLNK(st.st_mode)) {
            size = readlink(path, target, sizeof(target) - 1);
            target[size > 0 ? size : 0] = '\0';
            base = strrchr(target, '/');
            if (strcmp(base ? base + 1 : target, name) == 0)
                return path;
        } else if (S_ISREG(st.st_mode) && st.st_size > 0) {
            return path;
        }
        free(path);
        return NULL;
    }
    return NULL;
}

/* "a@b.service" -> "a@.service"; NULL for what is no instance, or without memory. */
static char *consumer_template(const char *name)
{
    const char *at = strchr(name, '@');
    char *template = NULL;

    if (!at || strcmp(at + 1, CONSUMER_SUFFIX) == 0 ||
        asprintf(&template, "%.*s@" CONSUMER_SUFFIX, (int)(at - name), name) < 0)
        return NULL;
    return template;
}

/* The drop-ins of `name` in all folders, but those that `files` has already by that name. 0 or -ENOMEM. */
static int consumer_list_dropins(ConsumerNames *files, char *const *folders, const char *name)
{
    int r = 0;

    for (size_t i = 0; i < N_ELEMENTS(consumer_folders) && r == 0; i++) {
        _cleanup_(consumer_closedirp) DIR *directory = NULL;
        _cleanup_(freep) char *folder = NULL;

        if (asprintf(&folder, "%s/%s.d", folders[i], name) < 0)
            return -ENOMEM;
        directory = opendir(folder);
        for (struct dirent *entry; directory && r == 0 && (entry = readdir(directory));) {
            char *path = NULL;
            bool is_hidden = !consumer_ends(entry->d_name, ".conf");

            for (size_t j = 0; j < files->n_items && !is_hidden; j++)
                is_hidden = strcmp(strrchr(files->items[j], '/') + 1, entry->d_name) == 0;
            if (!is_hidden)
                r = asprintf(&path, "%s/%s", folder, entry->d_name) < 0
                        ? -ENOMEM
                        : consumer_names_add(files, path);
        }
    }
    return r;
}

static int consumer_compare_dropins(const void *a, const void *b)
{
    return strcmp(strrchr(*(char *const *)a, '/'), strrchr(*(char *const *)b, '/'));
}

/*
 * All drop-ins of a unit in the order in which they count: its own, its template's, those of each prefix that ends in a
 * dash, and those of all services. 0 or -ENOMEM.
 */
static int consumer_find_dropins(ConsumerNames *files, char *const *folders, const char *name,
                                 const char *template)
{
    char prefix[NAME_MAX + 1];
    int r;

    r = consumer_list_dropins(files, folders, name);
    if (r == 0 && template)
        r = consumer_list_dropins(files, folders, template);
    for (size_t i = strlen(name) - strlen(CONSUMER_SUFFIX); i-- > 0 && r == 0;) {
        if (name[i] != '-' || i + strlen("-" CONSUMER_SUFFIX) >= sizeof(prefix))
            continue;
        (void)snprintf(prefix, sizeof(prefix), "%.*s" CONSUMER_SUFFIX, (int)i + 1, name);
        if (strcmp(prefix, name) != 0)
            r = consumer_list_dropins(files, folders, prefix);
    }
    if (r == 0)
        r = consumer_list_dropins(files, folders, "service");
    if (r == 0 && files->n_items > 0)
        qsort(files->items, files->n_items, sizeof(*files->items), consumer_compare_dropins);
    return r;
}

/* ---- one unit ---- */

/* 0 or -ENOMEM; a file that cannot be read says nothing. */
static int consumer_read(UnitFile *unit, const char *path)
{
    _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(CONFIG_FILE_BYTES_MAX + 1);
    int r;

    r = file_read(AT_FDCWD, path, &text, NULL);
    if (r == 0)
        r = buffer_append(&text, "", 1);
    if (r == 0)
        unit_file_parse(unit, path, buffer_data(&text), buffer_size(&text) - 1);
    return r == -ENOMEM ? r : 0;
}

static int consumer_check(char *const *folders, const char *name, Problems *problems)
{
    _cleanup_(consumer_names_deinit) ConsumerNames dropins = {.max = CONSUMER_FILES_MAX};
    _cleanup_(freep) char *template = consumer_template(name);
    _cleanup_(freep) char *file = consumer_find_file(folders, name);
    UnitFile unit = {};
    int r;

    if (!file && template)
        file = consumer_find_file(folders, template);
    if (!file)
        return 0;
    r = consumer_read(&unit, file);
    if (r == 0)
        r = consumer_find_dropins(&dropins, folders, name, template);
    for (size_t i = 0; i < dropins.n_items && r == 0; i++)
        r = consumer_read(&unit, dropins.items[i]);
    if (r == 0 && unit.consumer && unit_file_is_early(&unit))
        problems_add(
            problems, PROBLEM_WARNING, unit.consumer, unit.at,
            "%s loads a credential of elementd and is of Type=simple: with systemd before 256 it "
            "counts as started while it still waits for that, and hangs if it gets none in time; say "
            "Type=exec (or notify) in its [Service]",
            name);
    return r;
}

/* ---- all of them ---- */

/* The version of the systemd that is installed; 0: not known. */
static unsigned long consumer_systemd(const char *root)
{
    for (size_t i = 0; i < N_ELEMENTS(consumer_libraries); i++) {
        _cleanup_(consumer_closedirp) DIR *directory = NULL;
        _cleanup_(freep) char *folder = NULL;

        if (asprintf(&folder, "%s%s", root, consumer_libraries[i]) < 0)
            return 0;
        directory = opendir(folder);
        for (struct dirent *entry; directory && (entry = readdir(directory));)
            if (strncmp(entry->d_name, CONSUMER_LIBRARY, strlen(CONSUMER_LIBRARY)) == 0)
                return strtoul(entry->d_name + strlen(CONSUMER_LIBRARY), NULL, 10);
    }
    return 0;
}

static int consumer_check_all(char *const *folders, Problems *problems)
{
    _cleanup_(consumer_names_deinit) ConsumerNames names = {.max = CONSUMERS_MAX};
    int r = 0;

    for (size_t i = 0; i < N_ELEMENTS(consumer_folders) && r == 0; i++)
        r = consumer_list_units(&names, folders[i]);
    if (names.n_items > 0)
        qsort(names.items, names.n_items, sizeof(*names.items), consumer_compare_names);
    for (size_t i = 0; i < names.n_items && r == 0; i++)
        if (i == 0 || strcmp(names.items[i - 1], names.items[i]) != 0)
            r = consumer_check(folders, names.items[i], problems);
    return r;
}

int consumers_check(const char *root, Problems *problems)
{
    char *folders[N_ELEMENTS(consumer_folders)] = {};
    int r = 0;

    root = root ? root : "";
    if (consumer_systemd(root) >= CONSUMER_FINE_SINCE)
        return 0;
    for (size_t i = 0; i < N_ELEMENTS(folders) && r == 0; i++)
        if (asprintf(&folders[i], "%s%s", root, consumer_folders[i]) < 0) {
            folders[i] = NULL;
            r = -ENOMEM;
        }
    if (r == 0)
        r = consumer_check_all(folders, problems);
    for (size_t i = 0; i < N_ELEMENTS(folders); i++)
        free(folders[i]);
    return r == 0 && problems->is_out_of_memory ? -ENOMEM : r;
}
