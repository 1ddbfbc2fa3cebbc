/*
 * elementctl check: is elementd --check, so that there is one checker, and no command but this one pays for the
 * libraries that checking needs.
 *
 * It sees the credentials that the running service was given, as far as the caller may (root): without them, each
 * reference to one would be a problem.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "ipc/client/ctl_failure.h"

#ifndef ELEMENTD_SBINDIR
#define ELEMENTD_SBINDIR "/usr/sbin"
#endif

/* Where the daemon is, seen from the folder of this program: a build tree, PREFIX/bin, anywhere. */
static const char *const ctl_check_places[] = {
    "%s/elementd",
    "%s/../sbin/elementd",
    ELEMENTD_SBINDIR "/elementd",
};

/* The folder of this program; NULL without memory. The caller frees. */
static char *ctl_check_folder(void)
{
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
    char *slash;

    if (size <= 0 || (size_t)size >= sizeof(path))
        return strdup("/usr/bin");
    path[size] = '\0';
    slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return strdup(path);
}

/* The daemon's program, or what it was looked for as last; NULL without memory. The caller frees. */
static char *ctl_check_find(void)
{
    _cleanup_(freep) char *folder = ctl_check_folder();
    char *path = NULL;

    if (!folder)
        return NULL;
    for (size_t i = 0; i < N_ELEMENTS(ctl_check_places); i++) {
        const char *rest = strstr(ctl_check_places[i], "%s");

        free(path);
        if (asprintf(&path, "%s%s", rest ? folder : "", rest ? rest + 2 : ctl_check_places[i]) < 0)
            return NULL;
        if (access(path, X_OK) == 0)
            return path;
    }
    return path;
}

/* Where systemd puts what LoadCredential= names (systemd.exec(5)). 0 or -ENOMEM. */
static int ctl_check_lend_credentials(const Ctl *ctl)
{
    _cleanup_(freep) char *folder = NULL;

    if (asprintf(&folder, "%s/run/credentials/elementd.service",
                 ctl->options.root ? ctl->options.root : "") < 0)
        return -ENOMEM;
    if (access(folder, R_OK | X_OK) < 0)
        return 0;
    return setenv("CREDENTIALS_DIRECTORY", folder, 0) < 0 ? -ENOMEM : 0;
}

CtlStatus ctl_check(const Ctl *ctl)
{
    _cleanup_(freep) char *program = ctl_check_find();
    _cleanup_(freep) char *root = NULL;
    char check[] = "--check", json[] = "--json";
    char *arguments[5] = {};
    size_t n = 0;

    if (!program || ctl_check_lend_credentials(ctl) < 0 ||
        (ctl->options.root && asprintf(&root, "--root=%s", ctl->options.root) < 0)) {
        ctl_failure_say("out of memory");
        return CTL_OTHER;
    }
    arguments[n++] = program;
    arguments[n++] = check;
    if (root)
        arguments[n++] = root;
    if (ctl_options_has(&ctl->options, CTL_OPTION_JSON))
        arguments[n++] = json;
    (void)execv(program, arguments);
    ctl_failure_say("cannot run %s, which checks: %s", program, error_text(errno));
    return CTL_OTHER;
}
