#include "systemd/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

bool credential_name_is_valid(const char *name)
{
    size_t size = strlen(name);

    return size > 0 && size <= NAME_MAX && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

int credential_read(const char *name, Buffer *buffer)
{
    const char *path = getenv("CREDENTIALS_DIRECTORY");
    _cleanup_(closep) int directory_fd = -1;
    int r;

    if (!path || !credential_name_is_valid(name))
        return CREDENTIAL_E_NONE;
    directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0)
        return errno == ENOENT ? CREDENTIAL_E_NONE : error_errno();
    r = file_read(directory_fd, name, buffer, NULL);
    if (r == -ENOENT || r == FILE_E_NOT_REGULAR)
        return CREDENTIAL_E_NONE;
    if (r == FILE_E_TOO_BIG)
        return CREDENTIAL_E_TOO_BIG;
    return r;
}
