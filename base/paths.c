#include "base/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* `path` below `root`, or what systemd passed in `variable`, or `path` itself; NULL without memory. */
static char *paths_find(const char *root, const char *variable, const char *path)
{
    const char *passed;
    char *found;

    if (root && *root) {
        size_t size = strlen(root);

        while (size > 0 && root[size - 1] == '/')
            size--;
        return asprintf(&found, "%.*s%s", (int)size, root, path) < 0 ? NULL : found;
    }
    passed = variable ? getenv(variable) : NULL;
    if (passed && *passed == '/')
        return strndup(passed, strcspn(passed, ":"));
    return strdup(path);
}

/* Hands `paths` over, unless there was no memory for one of them. 0 or -ENOMEM. */
static int paths_finish(Paths *paths, Paths *ret_paths)
{
    if (!paths->config[0] || !paths->config[1] || !paths->config[2] || !paths->state ||
        !paths->runtime) {
        paths_deinit(paths);
        return -ENOMEM;
    }
    *ret_paths = *paths;
    return 0;
}

int paths_init(Paths *ret_paths, const char *root)
{
    Paths paths = {
        .config =
            {
                paths_find(root, "CONFIGURATION_DIRECTORY", "/etc/elementd"),
                paths_find(root, NULL, "/run/elementd"),
                paths_find(root, NULL, "/usr/lib/elementd"),
            },
        .state = paths_find(root, "STATE_DIRECTORY", "/var/lib/elementd"),
        .runtime = paths_find(root, "RUNTIME_DIRECTORY", "/run/elementd"),
    };

    return paths_finish(&paths, ret_paths);
}

int paths_copy(const Paths *paths, Paths *ret_copy)
{
    Paths copy = {
        .config = {strdup(paths->config[0]), strdup(paths->config[1]), strdup(paths->config[2])},
        .state = strdup(paths->state),
        .runtime = strdup(paths->runtime),
    };

    return paths_finish(&copy, ret_copy);
}

void paths_deinit(Paths *paths)
{
    for (size_t i = 0; i < PATHS_N_CONFIG; i++)
        free(paths->config[i]);
    free(paths->state);
    free(paths->runtime);
    *paths = (Paths){};
}

/* Not by asprintf(3), which takes longer than all else of finding a file. */
char *paths_join(const char *directory, const char *name)
{
    size_t directory_size = strlen(directory), name_size = strlen(name);
    char *path = malloc(directory_size + 1 + name_size + 1), *end;

    if (!path)
        return NULL;
    end = mempcpy(path, directory, directory_size);
    *end++ = '/';
    memcpy(end, name, name_size + 1);
    return path;
}
