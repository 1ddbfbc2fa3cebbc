/*
 * elementctl's command line: its tables of options and commands.
 */

#include "ipc/client/ctl_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "ipc/client/ctl_commands.h"

#define ARGUMENTS_MAX 8

typedef struct Row {
    const char *argv[ARGUMENTS_MAX]; /* after the program's name */
    const char *rest; /* what is no option, each followed by a space; NULL: it is refused */
    CtlOptions options;
    const char *complaint;
} Row;

static const Row rows[] = {
    {{NULL}, "", {}, NULL},
    {{"token", "x"}, "token x ", {}, NULL},
    {{"--json", "token", "x"}, "token x ", {.given = CTL_OPTION_JSON}, NULL},
    {{"token", "--json", "x", "--json"}, "token x ", {.given = CTL_OPTION_JSON}, NULL},
    {{"--root=/a", "list"}, "list ", {.given = CTL_OPTION_ROOT, .root = "/a"}, NULL},
    {{"--root", "/a", "list"}, "list ", {.given = CTL_OPTION_ROOT, .root = "/a"}, NULL},
    {{"list", "--root", "--json"}, "list ", {.given = CTL_OPTION_ROOT, .root = "--json"}, NULL},
    {{"--root=/a", "--root=/b"}, "", {.given = CTL_OPTION_ROOT, .root = "/b"}, NULL},
    {{"--socket=/a=b"}, "", {.given = CTL_OPTION_SOCKET, .socket = "/a=b"}, NULL},
    /* A value that may be left out is never the next argument. */
    {{"token", "--wait", "x"}, "token x ", {.given = CTL_OPTION_WAIT, .wait = WAIT_MAX_USEC}, NULL},
    {{"--wait=0"}, "", {.given = CTL_OPTION_WAIT}, NULL},
    {{"--wait=30"}, "", {.given = CTL_OPTION_WAIT, .wait = 30 * USEC_PER_SEC}, NULL},
    {{"--wait=3600"}, "", {.given = CTL_OPTION_WAIT, .wait = WAIT_MAX_USEC}, NULL},
    {{"--timeout=0"}, "", {.given = CTL_OPTION_TIMEOUT}, NULL},
    {{"--timeout", "30", "x"},
     "x ",
     {.given = CTL_OPTION_TIMEOUT, .timeout = 30 * USEC_PER_SEC},
     NULL},
    {{"--account=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "--offline"},
     "",
     {.given = CTL_OPTION_ACCOUNT | CTL_OPTION_OFFLINE,
      .account = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
     NULL},
    {{"--", "--json", "-h"}, "--json -h ", {}, NULL},
    {{"-"}, "- ", {}, NULL},
    {{"-h"}, "", {.given = CTL_OPTION_HELP}, NULL},
    {{"--help", "--version"}, "", {.given = CTL_OPTION_HELP | CTL_OPTION_VERSION}, NULL},

    {{"--account=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
     NULL,
     {},
     "--account takes the name of an account, not \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""},
    {{"--account=a\n"}, NULL, {}, "--account takes the name of an account, not \"a\n\""},
    {{"--account="}, NULL, {}, "--account takes the name of an account, not \"\""},
    {{"--offline=1"}, NULL, {}, "--offline takes no value"},
    {{"--wait=3601"}, NULL, {}, "--wait takes seconds from 0 to 3600, not \"3601\""},
    {{"--wait="}, NULL, {}, "--wait takes seconds from 0 to 3600, not \"\""},
    {{"--wait=-1"}, NULL, {}, "--wait takes seconds from 0 to 3600, not \"-1\""},
    {{"--wait=1s"}, NULL, {}, "--wait takes seconds from 0 to 3600, not \"1s\""},
    {{"--wait=99999999999999999999"},
     NULL,
     {},
     "--wait takes seconds from 0 to 3600, not \"99999999999999999999\""},
    {{"--timeout=3601"}, NULL, {}, "--timeout takes seconds from 0 to 3600, not \"3601\""},
    {{"--timeout"}, NULL, {}, "--timeout needs a value: --timeout=SEC"},
    {{"--root"}, NULL, {}, "--root needs a value: --root=DIR"},
    {{"--root="}, NULL, {}, "--root takes a folder, not \"\""},
    {{"--socket="}, NULL, {}, "--socket takes the path of a socket, not \"\""},
    {{"--json=yes"}, NULL, {}, "--json takes no value"},
    {{"--jso"}, NULL, {}, "unknown option --jso"},
    {{"--jsons"}, NULL, {}, "unknown option --jsons"},
    {{"--secret=s3cr3t"}, NULL, {}, "unknown option --secret"},
    {{"-x"}, NULL, {}, "unknown option -x"},
    {{"-hh"}, NULL, {}, "unknown option -hh"},
};

static void test_options(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        _cleanup_(buffer_deinit) Buffer complaint = BUFFER_INIT(4096);
        _cleanup_(buffer_deinit) Buffer rest = BUFFER_INIT(4096);
        char *argv[ARGUMENTS_MAX + 2] = {(char *)"elementctl"};
        CtlOptions options = {};
        size_t n = 0;
        int argc = 1, r;

        for (; rows[i].argv[argc - 1]; argc++)
            argv[argc] = (char *)rows[i].argv[argc - 1];
        r = ctl_options_parse(argc, argv, &options, &n, &complaint);
        assert_int_equal(buffer_append(&complaint, "", 1), 0);
        if (!rows[i].rest) {
            assert_int_equal(r, CTL_OPTIONS_E_USAGE);
            assert_string_equal(buffer_data(&complaint), rows[i].complaint);
            continue;
        }
        assert_string_equal(buffer_data(&complaint), "");
        assert_int_equal(r, 0);
        for (size_t k = 0; k < n; k++)
            assert_int_equal(buffer_printf(&rest, "%s ", argv[k]), 0);
        assert_int_equal(buffer_append(&rest, "", 1), 0);
        assert_string_equal(buffer_data(&rest), rows[i].rest);
        assert_int_equal(options.given, rows[i].options.given);
        assert_int_equal(options.wait, rows[i].options.wait);
        assert_int_equal(options.timeout, rows[i].options.timeout);
        assert_string_equal(options.root ? options.root : "-",
                            rows[i].options.root ? rows[i].options.root : "-");
        assert_string_equal(options.socket ? options.socket : "-",
                            rows[i].options.socket ? rows[i].options.socket : "-");
        assert_string_equal(options.account ? options.account : "-",
                            rows[i].options.account ? rows[i].options.account : "-");
    }
}

/* An argument of any length is told in a line. */
static void test_long_argument(void **state)
{
    static char argument[100000] = "--";
    _cleanup_(buffer_deinit) Buffer complaint = BUFFER_INIT(4096);
    char *argv[] = {(char *)"elementctl", argument, NULL};
    CtlOptions options;
    size_t n;

    (void)state;
    memset(argument + 2, 'a', sizeof(argument) - 3);
    assert_int_equal(ctl_options_parse(2, argv, &options, &n, &complaint), CTL_OPTIONS_E_USAGE);
    assert_in_range(buffer_size(&complaint), 50, 200);
}

static void test_option_names(void **state)
{
    (void)state;
    assert_null(ctl_options_name(0));
    assert_string_equal(ctl_options_name(CTL_OPTION_WAIT), "wait");
    assert_string_equal(ctl_options_name(CTL_OPTION_SOCKET | CTL_OPTION_WAIT), "socket");
}

static void test_commands(void **state)
{
    static const struct {
        const char *command;
        unsigned given;
        size_t n_arguments;
        const char *complaint;
    } checks[] = {
        {"token", 0, 1, NULL},
        {"token", CTL_OPTION_ROOT | CTL_OPTION_SOCKET | CTL_OPTION_JSON | CTL_OPTION_WAIT, 1, NULL},
        {"token", 0, 0, "token needs NAME"},
        {"token", 0, 2, "too many arguments: token takes NAME"},
        {"authorization", CTL_OPTION_WAIT, 1, NULL},
        {"authorization", 0, 0, "authorization needs NAME"},
        {"list", 0, 0, NULL},
        {"list", CTL_OPTION_WAIT, 0, "list takes no --wait"},
        {"list", 0, 1, "too many arguments: list takes none"},
        {"status", 0, 0, NULL},
        {"status", 0, 1, NULL},
        {"status", 0, 2, "too many arguments: status takes [NAME]"},
        {"watch", CTL_OPTION_JSON, 1, NULL},
        {"watch", 0, 2, "too many arguments: watch takes [NAME]"},
        {"watch", CTL_OPTION_TIMEOUT, 0, "watch takes no --timeout"},
        {"wait", CTL_OPTION_TIMEOUT, 0, NULL},
        {"wait", 0, 1000, NULL},
        {"wait", CTL_OPTION_JSON, 0, "wait takes no --json"},
        {"rejected", CTL_OPTION_ROOT, 1, NULL},
        {"rejected", 0, 0, "rejected needs NAME"},
        {"rejected", 0, 2, "too many arguments: rejected takes NAME"},
        {"rejected", CTL_OPTION_JSON, 1, "rejected takes no --json"},
        {"retry", CTL_OPTION_SOCKET, 1, NULL},
        {"retry", 0, 0, "retry needs NAME"},
        {"reload", CTL_OPTION_JSON, 0, NULL},
        {"reload", 0, 1, "too many arguments: reload takes none"},
        {"template", CTL_OPTION_ROOT | CTL_OPTION_ACCOUNT | CTL_OPTION_OFFLINE, 1, NULL},
        {"template", CTL_OPTION_USER, 1, "template takes no --user"},
        {"token", CTL_OPTION_OFFLINE, 1, "token takes no --offline"},
        {"orphans", CTL_OPTION_JSON, 0, NULL},
        {"orphans", 0, 1, "too many arguments: orphans takes none"},
        {"check", CTL_OPTION_ROOT | CTL_OPTION_JSON, 0, NULL},
        {"check", CTL_OPTION_SOCKET, 0, "check takes no --socket"},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(checks); i++) {
        _cleanup_(buffer_deinit) Buffer complaint = BUFFER_INIT(4096);
        const CtlCommand *command = ctl_commands_find(checks[i].command);
        const CtlOptions options = {.given = checks[i].given};

        assert_non_null(command);
        assert_string_equal(command->name, checks[i].command);
        assert_int_equal(ctl_commands_check(command, &options, checks[i].n_arguments, &complaint),
                         checks[i].complaint ? CTL_OPTIONS_E_USAGE : 0);
        assert_int_equal(buffer_append(&complaint, "", 1), 0);
        assert_string_equal(buffer_data(&complaint),
                            checks[i].complaint ? checks[i].complaint : "");
    }
    assert_null(ctl_commands_find(""));
    assert_null(ctl_commands_find("tok"));
    assert_null(ctl_commands_find("tokens"));
}

static void test_help(void **state)
{
    static const char *const words[] = {
        "  token NAME             print",
        "  list                   list",
        "--root=DIR",
        "--wait[=SEC]",
        "-h, --help",
        "  6  elementd is not running",
    };
    _cleanup_(buffer_deinit) Buffer help = BUFFER_INIT(4096);

    (void)state;
    assert_int_equal(ctl_commands_help(&help), 0);
    assert_int_equal(buffer_append(&help, "", 1), 0);
    for (size_t i = 0; i < N_ELEMENTS(words); i++)
        assert_non_null(strstr(buffer_data(&help), words[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),      cmocka_unit_test(test_long_argument),
        cmocka_unit_test(test_option_names), cmocka_unit_test(test_commands),
        cmocka_unit_test(test_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
