/*
 * What elementctl prints: text made safe, times, tables, and failures with the command to type next.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/trouble.h"
#include "ipc/client/ctl_advice.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_output.h"
#include "ipc/client/ctl_table.h"
#include "ipc/client/ctl_text.h"
#include "ipc/client/ctl_time.h"
#include "tests/unit/tree.h"

static void assert_buffer(Buffer *buffer, const char *expected)
{
    assert_int_equal(buffer_append(buffer, "", 1), 0);
    assert_string_equal(buffer_data(buffer), expected);
    buffer_clear(buffer);
}

/* ---- text ---- */

static void test_text(void **state)
{
    static const struct {
        const char *text;
        const char *safe;
    } texts[] = {
        {"", ""},
        {"plain ~!", "plain ~!"},
        {"é … 日本 🙂", "é … 日本 🙂"},
        {"a\nb\tc\rd", "a?b?c?d"},
        {"\033[31mred\033[0m", "?[31mred?[0m"},
        {"\x1f \x7f", "? ?"},
        {"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "???\xc2\xa0"},
        {"\xe2\x80\x8a\xe2\x80\x8b\xe2\x80\x8f\xe2\x80\x90", "\xe2\x80\x8a??\xe2\x80\x90"},
        {"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf", "\xe2\x80\xa7??\xe2\x80\xaf"},
        {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa", "\xe2\x81\xa5??\xe2\x81\xaa"},
        /* Not UTF-8: a stray byte, cut off, too long a form, a surrogate, beyond the last. */
        {"a\x80z", "a?z"},
        {"a\xc3", "a?"},
        {"\xe2\x80", "??"},
        {"\xc0\x9b", "??"},
        {"\xe0\x82\x9b", "???"},
        {"\xed\xa0\x80", "???"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
        {"\xff", "?"},
    };
    _cleanup_(buffer_deinit) Buffer buffer = BUFFER_INIT(100);

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        assert_int_equal(ctl_text_append(&buffer, texts[i].text), 0);
        assert_buffer(&buffer, texts[i].safe);
        assert_int_equal(ctl_text_is_plain(texts[i].text),
                         strcmp(texts[i].text, texts[i].safe) == 0);
    }
}

static void test_text_json(void **state)
{
    static const char json[] = "{\"a\\u001b\":\"\x7f \xc2\x9b é \xe2\x80\xae\"}\n";
    _cleanup_(buffer_deinit) Buffer buffer = BUFFER_INIT(100);

    (void)state;
    assert_int_equal(ctl_text_append_json(&buffer, json, strlen(json)), 0);
    assert_buffer(&buffer, "{\"a\\u001b\":\"\\u007f \\u009b é \\u202e\"}\n");
}

static void test_text_width(void **state)
{
    (void)state;
    assert_int_equal(ctl_text_width(""), 0);
    assert_int_equal(ctl_text_width("aé…"), 3);
    assert_int_equal(ctl_text_cut("aé…", 0), 0);
    assert_int_equal(ctl_text_cut("aé…", 2), 3);
    assert_int_equal(ctl_text_cut("aé…", 3), 6);
    assert_int_equal(ctl_text_cut("aé…", 4), 6);
}

/* ---- times ---- */

#define SEC UINT64_C(1000000)

static void test_time(void **state)
{
    static const struct {
        usec_t span;
        const char *words;
        const char *age;
        const char *ago;
        const char *due;
    } spans[] = {
        {0, "0 s", "0s", "just now", "now"},
        {SEC - 1, "0 s", "0s", "just now", "now"},
        {SEC, "1 s", "1s", "1 s ago", "in 1 s"},
        {60 * SEC - 1, "59 s", "59s", "59 s ago", "in 59 s"},
        {60 * SEC, "1 min", "1min", "1 min ago", "in 1 min"},
        {3600 * SEC - 1, "59 min", "59min", "59 min ago", "in 59 min"},
        {3600 * SEC, "1 h", "1h", "1 h ago", "in 1 h"},
        {7500 * SEC, "2 h 5 min", "2h", "2 h 5 min ago", "in 2 h 5 min"},
        {86400 * SEC - 1, "23 h 59 min", "23h", "23 h 59 min ago", "in 23 h 59 min"},
        {86400 * SEC, "1 d", "1d", "1 d ago", "in 1 d"},
        {(3 * 86400 + 4 * 3600 + 59 * 60) * SEC, "3 d 4 h", "3d", "3 d 4 h ago", "in 3 d 4 h"},
    };
    const usec_t now = 2000000000 * SEC;
    char text[CTL_TIME_SIZE];

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(spans); i++) {
        ctl_time_format_span(spans[i].span, text);
        assert_string_equal(text, spans[i].words);
        ctl_time_format_age(now - spans[i].span, now, text);
        assert_string_equal(text, spans[i].age);
        ctl_time_format_ago(now - spans[i].span, now, text);
        assert_string_equal(text, spans[i].ago);
        ctl_time_format_due(now + spans[i].span, now, text);
        assert_string_equal(text, spans[i].due);
    }
    /* A clock that jumped. */
    ctl_time_format_age(now + SEC * 60, now, text);
    assert_string_equal(text, "0s");
    ctl_time_format_ago(now + SEC * 60, now, text);
    assert_string_equal(text, "just now");
    ctl_time_format_due(now - SEC * 60, now, text);
    assert_string_equal(text, "now");
    ctl_time_format_ago(0, USEC_INFINITY, text);
    assert_string_equal(text, "213503982 d 8 h ago");
}

/* ---- tables ---- */

static void print_table(size_t width, bool has_colour, const char *expected)
{
    static const char *const titles[] = {"NAME", "STATE", "PROBLEM"};
    const Ctl ctl = {.has_colour = has_colour};
    _cleanup_(ctl_output_deinit) CtlOutput output;
    _cleanup_(ctl_table_deinit) CtlTable table;

    ctl_output_init(&output, &ctl);
    ctl_table_init(&table, titles, N_ELEMENTS(titles));
    ctl_table_add(&table, "é\033", CTL_COLOUR_NONE);
    ctl_table_add(&table, "ready", CTL_COLOUR_GOOD);
    ctl_table_add(&table, NULL, CTL_COLOUR_NONE);
    ctl_table_add(&table, "helpdesk", CTL_COLOUR_NONE);
    ctl_table_add(&table, "failed", CTL_COLOUR_BAD);
    ctl_table_add(&table, "the whole story is long", CTL_COLOUR_NONE);
    ctl_table_print(&table, width, &output);
    assert_int_equal(output.error, 0);
    assert_buffer(&output.bytes, expected);
}

static void test_table(void **state)
{
    (void)state;
    print_table(0, false,
                "NAME      STATE   PROBLEM\n"
                "é?        ready   -\n"
                "helpdesk  failed  the whole story is long\n");
    print_table(0, true,
                "\033[1mNAME\033[0m      \033[1mSTATE\033[0m   \033[1mPROBLEM\033[0m\n"
                "é?        \033[32mready\033[0m   -\n"
                "helpdesk  \033[31mfailed\033[0m  the whole story is long\n");
    /* The first two columns and their gaps have 18. */
    print_table(18 + 23, false,
                "NAME      STATE   PROBLEM\n"
                "é?        ready   -\n"
                "helpdesk  failed  the whole story is long\n");
    print_table(18 + 22, false,
                "NAME      STATE   PROBLEM\n"
                "é?        ready   -\n"
                "helpdesk  failed  the whole story is lo…\n");
    print_table(18 + 16, false,
                "NAME      STATE   PROBLEM\n"
                "é?        ready   -\n"
                "helpdesk  failed  the whole story…\n");
    print_table(18 + 15, false,
                "NAME      STATE   PROBLEM\n"
                "é?        ready   -\n"
                "helpdesk  failed  the whole story is long\n");
}

static void test_table_empty(void **state)
{
    static const char *const titles[] = {"NAME", "STATE"};
    const Ctl ctl = {};
    _cleanup_(ctl_output_deinit) CtlOutput output;
    _cleanup_(ctl_table_deinit) CtlTable table;

    (void)state;
    ctl_output_init(&output, &ctl);
    ctl_table_init(&table, titles, N_ELEMENTS(titles));
    ctl_table_print(&table, 80, &output);
    assert_buffer(&output.bytes, "NAME  STATE\n");
}

/* What is more than the ceiling is not printed in part. */
static void test_output_ceiling(void **state)
{
    const Ctl ctl = {};
    _cleanup_(ctl_output_deinit) CtlOutput output;

    (void)state;
    ctl_output_init(&output, &ctl);
    output.bytes.max = 4;
    ctl_output_text(&output, "1234", CTL_COLOUR_NONE);
    assert_int_equal(output.error, 0);
    ctl_output_text(&output, "5", CTL_COLOUR_NONE);
    assert_int_equal(output.error, -E2BIG);
    ctl_output_spaces(&output, 3);
    ctl_output_printf(&output, "x");
    assert_int_equal(buffer_size(&output.bytes), 4);
}

/* ---- failures ---- */

static void test_failure_status(void **state)
{
    static const int statuses[] = {
        [0] = 0,
        [ELEMENTD_E_NO_DAEMON] = 6,
        [ELEMENTD_E_TIMEOUT] = 6,
        [ELEMENTD_E_CLOSED] = 6,
        [ELEMENTD_E_PROTOCOL] = 1,
        [ELEMENTD_E_NO_SUCH_INSTANCE] = 2,
        [ELEMENTD_E_NOT_READY] = 3,
        [ELEMENTD_E_FAILED] = 4,
        [ELEMENTD_E_DENIED] = 5,
        [ELEMENTD_E_REMOTE] = 1,
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(statuses); i++)
        assert_int_equal(ctl_failure_status((int)i), statuses[i]);
    assert_int_equal(ctl_failure_status(-ENOMEM), 1);
}

static const elementd_error failed = {.name = "io.elementd.Failed", .problem = "a.json:1:2: bad"};
static const elementd_error failed_silently = {.name = "io.elementd.Failed"};
static const elementd_error creating = {.name = "io.elementd.NotReady", .state = "creating"};
static const elementd_error waiting = {.name = "io.elementd.NotReady",
                                       .state = "waiting",
                                       .problem = "no network",
                                       .retry_usec = 1040 * SEC};
static const elementd_error overdue = {
    .name = "io.elementd.NotReady", .state = "waiting", .retry_usec = 900 * SEC};
static const elementd_error disabled = {.name = "io.elementd.NotReady", .state = "disabled"};
static const elementd_error not_ready = {.name = "io.elementd.NotReady"};
static const elementd_error remote = {.name = "org.varlink.service.MethodNotFound"};
static const elementd_problem problem = {.file = "a.json", .line = 1, .column = 2, .message = "m"};
static const elementd_error invalid = {
    .name = "io.elementd.InvalidConfiguration", .problems = &problem, .n_problems = 1};
static const elementd_error none = {};

static void test_failure_words(void **state)
{
    static const struct {
        int error;
        const elementd_error *details;
        CtlOptions options;
        const char *words;
    } failures[] = {
        {ELEMENTD_E_NO_DAEMON,
         NULL,
         {.root = "/nowhere"},
         "elementd is not running (no socket at /nowhere/run/elementd/io.elementd); start it: elementd --root=/nowhere"},
        {ELEMENTD_E_NO_DAEMON,
         &none,
         {.socket = "/"},
         "elementd is not running (nobody listens at /)"},
        {ELEMENTD_E_TIMEOUT, &none, {}, "elementd does not answer; see: systemctl status elementd"},
        {ELEMENTD_E_CLOSED,
         &none,
         {},
         "elementd ended the connection without an answer; see: journalctl -u elementd"},
        {ELEMENTD_E_PROTOCOL,
         &none,
         {},
         "what answers at /run/elementd/io.elementd does not speak as this version's elementd"},
        {ELEMENTD_E_NO_SUCH_INSTANCE,
         &none,
         {},
         "no instance \"x\" is declared; those that are: elementctl list"},
        {ELEMENTD_E_NOT_READY,
         &creating,
         {},
         "\"x\" has no token yet; it is creating; to wait for it, add --wait"},
        {ELEMENTD_E_NOT_READY,
         &creating,
         {.wait = 1},
         "\"x\" has no token yet; it is creating; more: elementctl status x"},
        {ELEMENTD_E_NOT_READY,
         &waiting,
         {},
         "\"x\" has no token yet; it is waiting: no network; next try in 40 s; to wait for it, add --wait"},
        {ELEMENTD_E_NOT_READY,
         &overdue,
         {},
         "\"x\" has no token yet; it is waiting; next try now; to wait for it, add --wait"},
        {ELEMENTD_E_NOT_READY,
         &disabled,
         {},
         "\"x\" has no token yet; it is disabled; more: elementctl status x"},
        {ELEMENTD_E_NOT_READY,
         &not_ready,
         {},
         "\"x\" has no token yet; to wait for it, add --wait"},
        {ELEMENTD_E_FAILED,
         &failed,
         {},
         "\"x\" failed: a.json:1:2: bad; more: elementctl status x"},
        {ELEMENTD_E_FAILED,
         &failed_silently,
         {},
         "\"x\" failed: elementd does not say why; more: elementctl status x"},
        {ELEMENTD_E_REMOTE, &remote, {}, "elementd answered org.varlink.service.MethodNotFound"},
        {ELEMENTD_E_REMOTE,
         &invalid,
         {},
         "nothing was applied; once it is mended: elementctl check && elementctl reload"},
        {-ENOMEM, NULL, {}, "cannot ask elementd: Cannot allocate memory"},
    };
    _cleanup_(buffer_deinit) Buffer words = BUFFER_INIT(4096);

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(failures); i++) {
        const Ctl ctl = {.options = failures[i].options};
        const CtlFailure failure = {.error = failures[i].error,
                                    .details = failures[i].details,
                                    .instance = "x",
                                    .now = 1000 * SEC};

        assert_int_equal(ctl_failure_format(&ctl, &failure, &words), 0);
        assert_buffer(&words, failures[i].words);
    }
}

static void assert_denied(const Tree *tree, const CtlFailure *failure, const char *expected)
{
    const Ctl ctl = {.options = {.root = tree->path}, .command = "retry"};
    _cleanup_(buffer_deinit) Buffer words = BUFFER_INIT(4096);

    assert_int_equal(ctl_failure_format(&ctl, failure, &words), 0);
    assert_int_equal(buffer_append(&words, "", 1), 0);
    assert_non_null(strstr(buffer_data(&words), expected));
}

/* Which file it is that would have to say so. */
static void test_failure_denied(void **state)
{
    static const elementd_error denied = {.name = "org.varlink.service.PermissionDenied"};
    const Tree *tree = *state;
    CtlFailure failure = {.error = ELEMENTD_E_DENIED,
                          .details = &denied,
                          .instance = "x",
                          .right = &ctl_failure_token_right};
    char expected[256];

    (void)snprintf(expected, sizeof(expected),
                   "uid %u) may not have the token of \"x\"; to change that, add \"user:",
                   (unsigned)geteuid());
    assert_denied(tree, &failure, expected);
    assert_denied(tree, &failure, "/etc/elementd/instances.d/x.json, then");
    tree_put(tree, "usr/lib/elementd/instances.d/x.json", "", 0600);
    assert_denied(tree, &failure, "\" to \"allow\" in \"elementd\" of /");
    assert_denied(tree, &failure, "/usr/lib/elementd/instances.d/x.json, then: elementctl reload");
    tree_put(tree, "run/elementd/instances.d/x.json", "", 0600);
    assert_denied(tree, &failure, "/run/elementd/instances.d/x.json, then");
    tree_put(tree, "etc/elementd/instances.d/x.json", "", 0600);
    failure.right = &ctl_failure_authorization_right;
    assert_denied(tree, &failure, "may not have the whole authorization of \"x\"");
    assert_denied(tree, &failure, "\" to \"allow-authorization\" in \"elementd\" of /");
    assert_denied(tree, &failure, "/etc/elementd/instances.d/x.json, then");
    failure.right = NULL;
    assert_denied(tree, &failure, ") may not do that, but root may; try: sudo elementctl retry x");
    failure.instance = NULL;
    assert_denied(tree, &failure, ") may not do that, but root may; try: sudo elementctl retry");
    failure.details = NULL;
    assert_denied(tree, &failure, ") may not open the socket /");
}

/* ---- moments ---- */

static void test_moment(void **state)
{
    const usec_t now = UINT64_C(1700000000) * SEC; /* 2023-11-14 22:13:20 UTC */
    char text[CTL_TIME_SIZE];

    (void)state;
    assert_int_equal(setenv("TZ", "UTC-1", 1), 0); /* an hour ahead */
    tzset();
    ctl_time_format_moment(now - 60 * SEC, now, text);
    assert_string_equal(text, "23:12:20");
    ctl_time_format_moment(now + 3600 * SEC, now, text);
    assert_string_equal(text, "2023-11-15 00:13:20");
    ctl_time_format_moment(now - 365 * 86400 * SEC, now, text);
    assert_string_equal(text, "2022-11-14 23:13:20");
    ctl_time_format_moment(UINT64_MAX, now, text);
    assert_true(strlen(text) > 0);
}

/* ---- advice ---- */

/* What the daemon can name is known, and begins with something to do. */
static void test_advice_for_each_kind(void **state)
{
    static const char *const ours[] = {CTL_ADVICE_NO_DAEMON, CTL_ADVICE_NO_ANSWER,
                                       CTL_ADVICE_NO_PERMISSION, CTL_ADVICE_UNIT_WAITS};
    const Ctl ctl = {};

    (void)state;
    for (size_t i = TROUBLE_OTHER; i < TROUBLE_N + N_ELEMENTS(ours); i++) {
        _cleanup_(buffer_deinit) Buffer words = BUFFER_INIT(4096);
        CtlSubject subject = {.kind = i < TROUBLE_N ? trouble_name((Trouble)i)
                                                    : ours[i - TROUBLE_N]};

        assert_int_equal(ctl_advice_knows(subject.kind), i != TROUBLE_OTHER);
        assert_int_equal(ctl_advice_append(&ctl, &subject, &words), 0);
        assert_int_equal(buffer_append(&words, "", 1), 0);
        assert_true(strlen(buffer_data(&words)) > 20);
        assert_null(strpbrk(buffer_data(&words), "{}\n")); /* all is filled in */
    }
    assert_false(ctl_advice_knows("ofALaterVersion"));
}

static void test_advice_is_filled_in(void **state)
{
    const Ctl ctl = {.options.root = (char *)"/r"};
    const CtlSubject secrets = {.kind = "secretsRefused", .account = "eu"},
                     unit = {.kind = "unitWaits", .instance = "i", .unit = "u.service"},
                     later = {.kind = "ofALaterVersion", .instance = "i"};
    _cleanup_(buffer_deinit) Buffer words = BUFFER_INIT(4096);

    (void)state;
    assert_int_equal(ctl_advice_append(&ctl, &secrets, &words), 0);
    assert_int_equal(strncmp(buffer_data(&words), "edit /r/etc/elementd/accounts.d/eu.json, ", 41),
                     0);
    buffer_clear(&words);
    assert_int_equal(ctl_advice_append(&ctl, &unit, &words), 0);
    assert_buffer(
        &words, "elementctl wait i: the unit goes on by itself once there is a token; when it has "
                "failed: sudo systemctl restart u.service");
    assert_int_equal(ctl_advice_append(&ctl, &later, &words), 0);
    assert_buffer(
        &words, "journalctl -u elementd tells more; to try again at once: sudo elementctl retry i");
    assert_int_equal(ctl_advice_status("unreachable"), CTL_NOT_READY);
    assert_int_equal(ctl_advice_status("diskFull"), CTL_FAILED);
    assert_int_equal(ctl_advice_status("ofALaterVersion"), CTL_NOT_READY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_json),
        cmocka_unit_test(test_text_width),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_moment),
        cmocka_unit_test(test_advice_for_each_kind),
        cmocka_unit_test(test_advice_is_filled_in),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_table_empty),
        cmocka_unit_test(test_output_ceiling),
        cmocka_unit_test(test_failure_status),
        cmocka_unit_test(test_failure_words),
        cmocka_unit_test_setup_teardown(test_failure_denied, tree_setup, tree_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
