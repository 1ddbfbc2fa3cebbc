#include "config/trust.h"

#include <stddef.h>
#include <sys/sysmacros.h>

#include "base/file.h"

const char *trust_refusal(const struct stat *st)
{
    if (!file_is_foreign(st))
        return NULL;
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return "others than its owner may write it: chmod go-w it";
    return "it belongs to neither root nor the service's user: chown it to root";
}

bool trust_is_world_readable(const struct stat *st)
{
    return (st->st_mode & S_IROTH) != 0;
}

bool trust_is_null_device(const struct stat *st)
{
    /* Documentation/admin-guide/devices.txt of the kernel. */
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}
