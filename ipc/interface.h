#pragma once

/*
 * Interfaces: the descriptions that this service is built with, word for word the .varlink files of this folder.
 */

#include <stddef.h>

typedef struct Interface {
    const char *name;
    const char *text; /* as the file has it */
} Interface;

extern const Interface interfaces[];
extern const size_t interfaces_n;

/* The interface of that name (`size` bytes, not NUL-terminated), or NULL. Static storage. */
const Interface *interface_find(const char *name, size_t size);
