/*
 * elementd: arguments, the process itself, and nothing else.
 */

#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "base/paths.h"
#include "config/config.h"
#include "config/consumers.h"
#include "daemon/manager.h"
#include "systemd/log.h"
#include "systemd/messages.h"

typedef struct Options {
    const char *root;
    bool is_check;
    bool is_json;
} Options;

enum {
    OPTION_ROOT = 256,
    OPTION_CHECK,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option options_table[] = {
    {"root", required_argument, NULL, OPTION_ROOT}, {"check", no_argument, NULL, OPTION_CHECK},
    {"json", no_argument, NULL, OPTION_JSON},       {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION}, {},
};

static const char options_help[] =
    "Usage: elementd [--root=DIR] [--check [--json]]\n"
    "\n"
    "Provisions the element instances that are declared in /etc/elementd and serves\n"
    "their tokens to local programs. Runs in the foreground, under systemd.\n"
    "\n"
    "  --root=DIR   take all files below DIR\n"
    "  --check      print all problems of the configuration; exit 1 if there are any\n"
    "  --json       with --check: print them as JSON\n"
    "  --help       this\n"
    "  --version    the version\n"
    "\n"
    "Files: /etc/elementd/elementd.json, accounts.d/NAME.json, instances.d/NAME.json\n"
    "See elementd(8), elementctl(1).\n";

/* -1: go on; else the exit status. */
static int main_parse(int argc, char **argv, Options *ret_options)
{
    int c;

    while ((c = getopt_long(argc, argv, "", options_table, NULL)) >= 0) {
        switch (c) {
        case OPTION_ROOT:
            ret_options->root = optarg;
            break;
        case OPTION_CHECK:
            ret_options->is_check = true;
            break;
        case OPTION_JSON:
            ret_options->is_json = true;
            break;
        case OPTION_HELP:
            (void)fputs(options_help, stdout);
            return EXIT_SUCCESS;
        case OPTION_VERSION:
            (void)puts("elementd " ELEMENTD_VERSION);
            return EXIT_SUCCESS;
        default:
            (void)fputs("Try 'elementd --help'.\n", stderr);
            return EXIT_FAILURE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "elementd: unexpected argument '%s'\n", argv[optind]);
        return EXIT_FAILURE;
    }
    return -1;
}

/* A missing standard descriptor would be given to a socket or a file, and log lines would go there. */
static void main_open_standard(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        (void)close(fd);
}

/* No secret leaves the process by a core dump, a debugger of the same user, or a file that others may read. */
static void main_protect(void)
{
    static const struct rlimit no_core = {0, 0};

    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)umask(0077);
    (void)signal(SIGPIPE, SIG_IGN); /* a reader of stderr that goes must not end the daemon */
}

static void main_set_level(void)
{
    const char *level = getenv("ELEMENTD_LOG_LEVEL");

    if (level && strcmp(level, "debug") == 0)
        log_set_level(LOG_DEBUG);
}

/* ---- --check ---- */

static int check_print(const Config *config)
{
    for (size_t i = 0; i < config->problems.n_items; i++) {
        _cleanup_(freep) char *words = problem_format(&config->problems.items[i]);

        if (!words)
            return -ENOMEM;
        (void)puts(words);
    }
    if (config->problems.n_dropped > 0)
        (void)printf("and %zu more\n", config->problems.n_dropped);
    return 0;
}

static int check_print_json(const Config *config)
{
    _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(REPLY_BYTES_MAX);
    JsonWriter writer;
    int r;

    json_writer_begin(&writer, &text);
    json_writer_open_array(&writer);
    for (size_t i = 0; i < config->problems.n_items; i++) {
        const Problem *problem = &config->problems.items[i];

        json_writer_open_object(&writer);
        json_writer_key(&writer, "file");
        json_writer_string(&writer, problem->file);
        json_writer_key(&writer, "line");
        json_writer_uint(&writer, problem->at.line);
        json_writer_key(&writer, "column");
        json_writer_uint(&writer, problem->at.column);
        json_writer_key(&writer, "severity");
        json_writer_string(&writer, problem->severity == PROBLEM_ERROR ? "error" : "warning");
        json_writer_key(&writer, "message");
        json_writer_string(&writer, problem->message);
        json_writer_close_object(&writer);
    }
    json_writer_close_array(&writer);
    r = json_writer_end(&writer);
    if (r != 0)
        return r < 0 ? r : -EMSGSIZE;
    (void)printf("%.*s\n", (int)buffer_size(&text), buffer_data(&text));
    return 0;
}

static int main_check(const Paths *paths, const Options *options)
{
    static const DigestKey no_key;
    _cleanup_(config_unrefp) Config *config = NULL;
    int r;

    r = config_load(paths, &no_key, &config);
    if (r == 0)
        r = consumers_check(options->root, &config->problems);
    if (r == 0)
        r = options->is_json ? check_print_json(config) : check_print(config);
    if (r < 0) {
        (void)fprintf(stderr, "elementd: %s\n", error_text(r));
        return EXIT_FAILURE;
    }
    (void)fprintf(stderr, "elementd: instances: %zu, accounts: %zu, problems: %zu\n",
                  config->n_instances, config->n_accounts,
                  config->problems.n_items + config->problems.n_dropped);
    return config->problems.n_items > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- the daemon ---- */

/*
 * The document of the records, megabytes that each commit needs for a moment, goes back to the kernel each time. As it is set
 * otherwise, malloc() would keep such pieces from the second one on. Source: mallopt(3), M_MMAP_THRESHOLD.
 */
#define MAIN_OWN_MAPPING_BYTES (256 * 1024)

static void main_set_memory(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MAIN_OWN_MAPPING_BYTES);
}

static int main_run(const Paths *paths)
{
    _cleanup_(manager_freep) Manager *manager = NULL;
    int r;

    r = manager_new(paths, &manager);
    if (r == MANAGER_E_LOCKED) {
        log_event(LOG_ERR, MESSAGE_CANNOT_RUN, "another elementd is running: it has locked %s",
                  paths->state);
        return EXIT_FAILURE;
    }
    if (r == MANAGER_E_TOLD)
        return EXIT_FAILURE;
    if (r == 0)
        r = manager_run(manager);
    if (r < 0) {
        log_event(LOG_ERR, MESSAGE_CANNOT_RUN, "cannot go on: %s", error_text(r));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    _cleanup_(paths_deinit) Paths paths = {};
    Options options = {};
    int status;

    main_open_standard();
    main_protect();
    status = main_parse(argc, argv, &options);
    if (status >= 0)
        return status;
    if (paths_init(&paths, options.root) < 0)
        return EXIT_FAILURE;
    if (options.is_check)
        return main_check(&paths, &options);
    log_open();
    main_set_level();
    main_set_memory();
    return main_run(&paths);
}
