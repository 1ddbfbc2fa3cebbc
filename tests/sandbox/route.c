#include "tests/sandbox/route.h"

#include <string.h>

bool route_matches(const char *form, const char *path, const char **ret_segment)
{
    while (*form && *path) {
        if (strncmp(form, "{}", 2) == 0) {
            size_t size = strcspn(path, "/");

            if (size == 0)
                return false;
            *ret_segment = path;
            form += 2;
            path += size;
        } else if (*form++ != *path++) {
            return false;
        }
    }
    return !*form && (!*path || strcmp(path, "/") == 0);
}
