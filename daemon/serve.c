#include "daemon/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "systemd/activation.h"

static Entry *serve_entry(const Served *served)
{
    return (Entry *)((char *)served - offsetof(Entry, served));
}

static Served *serve_find(void *userdata, const char *name, size_t size)
{
    Entry *entry = registry_find(userdata, name, size);

    return entry && entry->want ? &entry->served : NULL;
}

static Served *serve_next(void *userdata, const Served *previous)
{
    const Registry *registry = userdata;
    size_t i = previous ? serve_entry(previous)->index + 1 : 0;

    while (i < registry->n_entries && !registry->entries[i]->want)
        i++;
    return i < registry->n_entries ? &registry->entries[i]->served : NULL;
}

const ServerOperations serve_operations = {
    .find = serve_find,
    .next = serve_next,
};

/* By way of the directory's descriptor, since a path below --root may be longer than an address. */
static int serve_bind(int fd, int directory_fd, const char *file, mode_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n;

    n = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", directory_fd,
                 file);
    if (n < 0 || (size_t)n >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    /* We hold the lock of the state directory: who bound it before is gone. */
    if (unlinkat(directory_fd, file, 0) < 0 && errno != ENOENT)
        return error_errno();
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return error_errno();
    if (fchmodat(directory_fd, file, mode, 0) < 0)
        return error_errno();
    return listen(fd, SOMAXCONN) < 0 ? error_errno() : 0;
}

int serve_open_socket(const char *name, const char *directory, const char *file, mode_t mode,
                      int *ret_fd)
{
    _cleanup_(closep) int directory_fd = -1;
    _cleanup_(closep) int fd = -1;
    int r;

    r = activation_take(name, &fd);
    if (r < 0)
        return r;
    if (fd < 0) {
        r = file_make_directory(directory, 0755);
        if (r < 0)
            return r;
        directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory_fd < 0)
            return error_errno();
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
            return error_errno();
        r = serve_bind(fd, directory_fd, file, mode);
        if (r < 0)
            return r;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}
