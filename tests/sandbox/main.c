/*
 * elements-sandbox: a stand-in for the Cloud Elements platform, for demonstrations and tests.
 *
 * Arguments, signals and the loop; README.md beside this file says what it can do.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "tests/sandbox/api.h"
#include "tests/sandbox/sandbox.h"

#ifndef ELEMENTD_VERSION
#define ELEMENTD_VERSION "0"
#endif

#define MAIN_DELAY_MS_MAX 86400000

typedef struct MainOptions {
    SandboxConfig config;
    const char *port_file;
    const char *delay_ms;
    bool is_dying_with_parent;
    bool is_help;
    bool is_version;
} MainOptions;

typedef struct MainOption {
    const char *name;
    const char *value; /* what stands for it in the help; NULL: a flag */
    size_t offset;     /* of a const char *, or of a bool */
    const char *help;
} MainOption;

#define MAIN_AT(member) offsetof(MainOptions, member)

static const MainOption main_options[] = {
    {"listen", "ADDR:PORT", MAIN_AT(config.http.listen), "where to listen (127.0.0.1:0: any port)"},
    {"tls-cert", "FILE", MAIN_AT(config.http.tls_cert), "certificate chain, for https"},
    {"tls-key", "FILE", MAIN_AT(config.http.tls_key), "private key of the certificate"},
    {"state", "FILE", MAIN_AT(config.state), "keep all there across restarts (memory only)"},
    {"user", "SECRET", MAIN_AT(config.user), "user secret of the first account (sandbox-user)"},
    {"organization", "SECRET", MAIN_AT(config.organization),
     "organization secret of the first account (sandbox-organization)"},
    {"delay-ms", "N", MAIN_AT(delay_ms), "how long creating an instance takes (0)"},
    {"tags-mode", "and|or", MAIN_AT(config.tags_mode),
     "what several tags[] of a listing mean (or)"},
    {"sample-answer", NULL, MAIN_AT(config.is_sample_answer),
     "answer creation as the platform's documented sample does: not quite in JSON"},
    {"port-file", "FILE", MAIN_AT(port_file), "write the port there once listening"},
    {"log", "FILE", MAIN_AT(config.log), "append a line a request"},
    {"die-with-parent", NULL, MAIN_AT(is_dying_with_parent), "end when the parent process ends"},
    {"help", NULL, MAIN_AT(is_help), "show this and exit"},
    {"version", NULL, MAIN_AT(is_version), "show the version and exit"},
};

static int main_help(void)
{
    (void)printf("Usage: elements-sandbox [OPTION…]\n\n"
                 "A stand-in for the Cloud Elements platform.\n\n");
    for (size_t i = 0; i < N_ELEMENTS(main_options); i++) {
        const MainOption *option = &main_options[i];
        char name[64];

        (void)snprintf(name, sizeof(name), "--%s%s%s", option->name, option->value ? "=" : "",
                       option->value ? option->value : "");
        (void)printf("  %-24s %s\n", name, option->help);
    }
    return 0;
}

static int main_fail(const char *what, int error)
{
    (void)fprintf(stderr, "elements-sandbox: %s%s%s\n", what, error != 0 ? ": " : "",
                  error != 0 ? error_text(error) : "");
    return 1;
}

/* Whether the arguments are good; if not, it was said why. */
static bool main_parse(int argc, char **argv, MainOptions *options)
{
    struct option known[N_ELEMENTS(main_options) + 1] = {};
    int index, c;

    for (size_t i = 0; i < N_ELEMENTS(main_options); i++)
        known[i] = (struct option){
            main_options[i].name, main_options[i].value ? required_argument : no_argument, NULL, 1};
    while ((c = getopt_long(argc, argv, "", known, &index)) != -1) {
        char *place;

        if (c != 1)
            return false;
        place = (char *)options + main_options[index].offset;
        if (main_options[index].value)
            *(const char **)place = optarg;
        else
            *(bool *)place = true;
    }
    if (optind < argc) {
        (void)fprintf(stderr, "elements-sandbox: unexpected argument \"%s\"\n", argv[optind]);
        return false;
    }
    return true;
}

static bool main_check(MainOptions *options)
{
    SandboxConfig *config = &options->config;
    char *end = NULL;

    if (!config->http.tls_cert != !config->http.tls_key) {
        (void)main_fail("--tls-cert and --tls-key go together", 0);
        return false;
    }
    if (options->delay_ms) {
        errno = 0;
        config->delay_ms = strtoll(options->delay_ms, &end, 10);
        if (errno != 0 || end == options->delay_ms || *end || config->delay_ms < 0 ||
            config->delay_ms > MAIN_DELAY_MS_MAX) {
            (void)main_fail("--delay-ms must be a number of milliseconds, at most a day", 0);
            return false;
        }
    }
    if (config->tags_mode && strcmp(config->tags_mode, "and") != 0 &&
        strcmp(config->tags_mode, "or") != 0) {
        (void)main_fail("--tags-mode must be \"and\" or \"or\"", 0);
        return false;
    }
    return true;
}

static void main_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int main_die_with_parent(void)
{
    pid_t parent = getppid();

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_errno();
    /* It may have died just before. */
    return getppid() == parent ? 0 : -ESRCH;
}

static void main_on_signal(evutil_socket_t signal_number, short events, void *userdata)
{
    (void)signal_number;
    (void)events;
    (void)event_base_loopbreak(userdata);
}

/* Written beside and renamed, so that whoever waits for it reads all of it. */
static int main_write_port(const char *path, unsigned port)
{
    _cleanup_(freep) char *temporary = NULL;
    _cleanup_(closep) int fd = -1;

    if (asprintf(&temporary, "%s.new", path) < 0)
        return -ENOMEM;
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || dprintf(fd, "%u\n", port) < 0)
        return error_errno();
    return rename(temporary, path) < 0 ? error_errno() : 0;
}

static int main_run(struct event_base *base, const MainOptions *options)
{
    struct event *term = evsignal_new(base, SIGTERM, main_on_signal, base);
    struct event *interrupt = evsignal_new(base, SIGINT, main_on_signal, base);
    const char *what = "Out of memory";
    Sandbox sandbox;
    int r;

    r = sandbox_init(&sandbox, base, &options->config, &what);
    if (r == 0 &&
        (!term || !interrupt || event_add(term, NULL) < 0 || event_add(interrupt, NULL) < 0))
        r = -ENOMEM;
    if (r == 0 && options->port_file) {
        what = "Cannot write the port file";
        r = main_write_port(options->port_file, http_server_port(sandbox.server));
    }
    if (r == 0) {
        (void)printf("elements-sandbox: listening on %s" API_PREFIX "\n",
                     http_server_url(sandbox.server));
        (void)fflush(stdout);
        what = "The event loop failed";
        r = event_base_dispatch(base) < 0 ? -EIO : 0;
    }
    sandbox_deinit(&sandbox);
    if (term)
        event_free(term);
    if (interrupt)
        event_free(interrupt);
    return r < 0 ? main_fail(what, r) : 0;
}

/*
 * Delays are kept as they were asked for, by event_config_set_flag(3): otherwise libevent's clock moves by its ticks, each
 * delay is up to some milliseconds too long, and those that end together are answered in one go.
 */
static struct event_base *main_new_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config && event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    return base;
}

int main(int argc, char **argv)
{
    MainOptions options = {.config = {.http = {.listen = "127.0.0.1:0"},
                                      .user = "sandbox-user",
                                      .organization = "sandbox-organization"}};
    struct event_base *base;
    int r;

    if (!main_parse(argc, argv, &options))
        return 1;
    if (options.is_help)
        return main_help();
    if (options.is_version)
        return printf("elements-sandbox %s\n", ELEMENTD_VERSION) < 0;
    if (!main_check(&options))
        return 1;
    if (options.is_dying_with_parent) {
        r = main_die_with_parent();
        if (r < 0)
            return main_fail("Cannot be tied to the parent", r);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    main_raise_limit();
    base = main_new_base();
    if (!base)
        return main_fail("Out of memory", 0);
    r = main_run(base, &options);
    event_base_free(base);
    return r;
}
