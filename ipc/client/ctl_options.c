#include "ipc/client/ctl_options.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"

typedef enum CtlOptionValue {
    CTL_OPTION_NONE,
    CTL_OPTION_MAY,
    CTL_OPTION_MUST,
} CtlOptionValue;

typedef struct CtlOption {
    const char *name;
    CtlOptionValue has_value;
    unsigned bit;
    /* Takes the value in, NULL for none; returns what it should have been, or NULL when it is fine. */
    const char *(*set)(CtlOptions *options, const char *value);
    const char *usage;
    const char *help;
} CtlOption;

static const char *ctl_option_set_root(CtlOptions *options, const char *value)
{
    options->root = value;
    return *value ? NULL : "a folder";
}

static const char *ctl_option_set_socket(CtlOptions *options, const char *value)
{
    options->socket = value;
    return *value ? NULL : "the path of a socket";
}

static const char *ctl_option_set_user(CtlOptions *options, const char *value)
{
    options->user = value;
    return *value ? NULL : "a user's name or number";
}

static const char *ctl_option_set_unit(CtlOptions *options, const char *value)
{
    options->unit = value;
    return *value ? NULL : "the name of a systemd unit";
}

/* As instance_name_is_valid() of config/ has it: it goes into a file. */
static const char *ctl_option_set_account(CtlOptions *options, const char *value)
{
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    options->account = value;
    if (*value == '\0' || strlen(value) > NAME_BYTES_MAX || strchr("._-", *value) ||
        value[strspn(value, characters)] != '\0')
        return "the name of an account";
    return NULL;
}

/* Whole seconds; the daemon would cut a longer wait without a word. */
static const char *ctl_option_parse_seconds(const char *value, usec_t *ret_span)
{
    usec_t seconds = 0;

    if (*value == '\0' || strlen(value) > 4 || value[strspn(value, "0123456789")] != '\0')
        return "seconds from 0 to 3600";
    for (; *value; value++)
        seconds = seconds * 10 + (usec_t)(*value - '0');
    *ret_span = seconds * USEC_PER_SEC;
    return *ret_span > WAIT_MAX_USEC ? "seconds from 0 to 3600" : NULL;
}

static const char *ctl_option_set_wait(CtlOptions *options, const char *value)
{
    if (value)
        return ctl_option_parse_seconds(value, &options->wait);
    options->wait = WAIT_MAX_USEC;
    return NULL;
}

static const char *ctl_option_set_timeout(CtlOptions *options, const char *value)
{
    return ctl_option_parse_seconds(value, &options->timeout);
}

static const CtlOption ctl_options_table[] = {
    {"root", CTL_OPTION_MUST, CTL_OPTION_ROOT, ctl_option_set_root, "--root=DIR",
     "work with the host whose files are below DIR"},
    {"socket", CTL_OPTION_MUST, CTL_OPTION_SOCKET, ctl_option_set_socket, "--socket=PATH",
     "ask the elementd that listens there"},
    {"json", CTL_OPTION_NONE, CTL_OPTION_JSON, NULL, "--json", "print JSON"},
    {"wait", CTL_OPTION_MAY, CTL_OPTION_WAIT, ctl_option_set_wait, "--wait[=SEC]",
     "wait for a token, SEC seconds or up to an hour"},
    {"timeout", CTL_OPTION_MUST, CTL_OPTION_TIMEOUT, ctl_option_set_timeout, "--timeout=SEC",
     "wait SEC seconds at most; without it, for ever"},
    {"list", CTL_OPTION_NONE, CTL_OPTION_LIST, NULL, "--list",
     "list all elements that have a template"},
    {"account", CTL_OPTION_MUST, CTL_OPTION_ACCOUNT, ctl_option_set_account, "--account=NAME",
     "make a template for this account"},
    {"offline", CTL_OPTION_NONE, CTL_OPTION_OFFLINE, NULL, "--offline",
     "make a template without asking the platform"},
    {"user", CTL_OPTION_MUST, CTL_OPTION_USER, ctl_option_set_user, "--user=USER",
     "explain for this user (root)"},
    {"unit", CTL_OPTION_MUST, CTL_OPTION_UNIT, ctl_option_set_unit, "--unit=UNIT",
     "explain for this systemd unit (root)"},
    {"help", CTL_OPTION_NONE, CTL_OPTION_HELP, NULL, "-h, --help", "print this"},
    {"version", CTL_OPTION_NONE, CTL_OPTION_VERSION, NULL, "--version", "print the version"},
};

/* Says why the command line cannot be used. */
#define CTL_OPTIONS_COMPLAIN(complaint, ...)                                                       \
    (buffer_printf(complaint, __VA_ARGS__) < 0 ? -ENOMEM : CTL_OPTIONS_E_USAGE)

/* The option whose name `text` begins with, up to its end or a "=", or NULL. */
static const CtlOption *ctl_option_find(const char *text, size_t size)
{
    for (size_t i = 0; i < N_ELEMENTS(ctl_options_table); i++)
        if (strlen(ctl_options_table[i].name) == size &&
            memcmp(ctl_options_table[i].name, text, size) == 0)
            return &ctl_options_table[i];
    return NULL;
}

/*
 * Takes in `text`, an option without its dashes; `next` is what follows it, or NULL, and *ret_used says that it was
 * taken for the value.
 */
static int ctl_option_take(CtlOptions *options, const char *text, const char *next, bool *ret_used,
                           Buffer *complaint)
{
    size_t size = strcspn(text, "=");
    const CtlOption *option = ctl_option_find(text, size);
    const char *value = text[size] == '=' ? text + size + 1 : NULL;
    const char *expected;

    if (!option)
        return CTL_OPTIONS_COMPLAIN(complaint, "unknown option --%.*s",
                                    size < 100 ? (int)size : 100, text);
    *ret_used = false;
    if (option->has_value == CTL_OPTION_NONE && value)
        return CTL_OPTIONS_COMPLAIN(complaint, "--%s takes no value", option->name);
    if (option->has_value == CTL_OPTION_MUST && !value) {
        if (!next)
            return CTL_OPTIONS_COMPLAIN(complaint, "--%s needs a value: %s", option->name,
                                        option->usage);
        value = next;
        *ret_used = true;
    }
    options->given |= option->bit;
    expected = option->set ? option->set(options, value) : NULL;
    if (expected)
        return CTL_OPTIONS_COMPLAIN(complaint, "--%s takes %s, not \"%.100s\"", option->name,
                                    expected, value);
    return 0;
}

int ctl_options_parse(int argc, char *argv[], CtlOptions *ret_options, size_t *ret_n,
                      Buffer *complaint)
{
    CtlOptions options = {};
    bool is_over = false;
    size_t n = 0;

    for (int i = 1; i < argc; i++) {
        bool is_used;
        int r;

        if (is_over || argv[i][0] != '-' || argv[i][1] == '\0') {
            argv[n++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            is_over = true;
            continue;
        }
        if (strcmp(argv[i], "-h") == 0) {
            options.given |= CTL_OPTION_HELP;
            continue;
        }
        if (argv[i][1] != '-')
            return CTL_OPTIONS_COMPLAIN(complaint, "unknown option %.100s", argv[i]);
        r = ctl_option_take(&options, argv[i] + 2, i + 1 < argc ? argv[i + 1] : NULL, &is_used,
                            complaint);
        if (r != 0)
            return r;
        i += is_used;
    }
    *ret_options = options;
    *ret_n = n;
    return 0;
}

const char *ctl_options_name(unsigned bits)
{
    for (size_t i = 0; i < N_ELEMENTS(ctl_options_table); i++)
        if (ctl_options_table[i].bit & bits)
            return ctl_options_table[i].name;
    return NULL;
}

int ctl_options_help(Buffer *help)
{
    for (size_t i = 0; i < N_ELEMENTS(ctl_options_table); i++) {
        int r = buffer_printf(help, "  %-22s %s\n", ctl_options_table[i].usage,
                              ctl_options_table[i].help);

        if (r != 0)
            return r;
    }
    return 0;
}
