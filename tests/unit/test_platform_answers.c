/*
 * Answers that tell of instances and elements, whole and broken, as outcomes.
 */

#include "daemon/platform.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/limits.h"
#include "tests/unit/ask.h"

#define TOKEN "AfYuaYxrBBbeSsE47JUwnOW/wYoBOx+rKoYh7rmd5lg="

/* ---- one instance ---- */

static void assert_instance(const PlatformAnswer *answer, int64_t id, const char *token)
{
    assert_int_equal(answer->outcome, PLATFORM_DONE);
    assert_int_equal(answer->n_instances, 1);
    assert_int_equal(answer->instances[0].id, id);
    assert_non_null(answer->instances[0].token);
    assert_string_equal(secret_reveal(answer->instances[0].token), token);
}

static void test_create(void **state)
{
    (void)state;
    for (int status = 200; status < 300; status++) {
        PlatformAnswer answer = ask_read(&(Ask){.method = PLATFORM_CREATE,
                                                .status = status,
                                                .text = "{\"id\":7,\"token\":\"" TOKEN "\"}"});

        assert_instance(&answer, 7, TOKEN);
        assert_false(answer.is_unconfirmed);
        platform_answer_deinit(&answer);
    }
}

/* A change need not show the token; but it must be of the instance that was to be changed. */
static void test_changes(void **state)
{
    static const struct {
        const char *text;
        PlatformOutcome outcome;
        bool is_unconfirmed;
    } rows[] = {
        {"{\"id\":42,\"token\":\"t\"}", PLATFORM_DONE, false},
        {"{\"id\":42}", PLATFORM_DONE, false},
        {"{\"id\":42,\"token\":5}", PLATFORM_DONE, false},
        {"{\"id\":42,\"token\":\"t\",\"description\":\"a \"b\"\"}", PLATFORM_DONE, true},
        {"{\"id\":43,\"token\":\"t\"}", PLATFORM_UNKNOWN, false},
        {"{\"token\":\"t\"}", PLATFORM_UNKNOWN, false},
        {"<html>", PLATFORM_UNKNOWN, false},
        {"", PLATFORM_UNKNOWN, false},
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        for (int j = 0; j < 2; j++) {
            PlatformMethod method = j ? PLATFORM_UPDATE : PLATFORM_RELABEL;
            PlatformAnswer answer = ask_read(
                &(Ask){.method = method, .status = 200, .text = rows[i].text});

            if (answer.outcome != rows[i].outcome ||
                (answer.outcome == PLATFORM_DONE &&
                 answer.is_unconfirmed != rows[i].is_unconfirmed))
                fail_msg("%s: outcome %d", rows[i].text, answer.outcome);
            platform_answer_deinit(&answer);
        }
    }
}

/* What the platform says of a removal beyond its status does not count, and its own 404 means that it is gone. */
static void test_delete(void **state)
{
    static const char own[] = "{\"requestId\":\"0123456789abcdef01234567\",\"message\":\"no\"}";

    (void)state;
    ask_assert_outcome(&(Ask){.method = PLATFORM_DELETE, .status = 200, .text = ""}, PLATFORM_DONE);
    ask_assert_outcome(&(Ask){.method = PLATFORM_DELETE, .status = 204, .text = ""}, PLATFORM_DONE);
    ask_assert_outcome(&(Ask){.method = PLATFORM_DELETE, .status = 200, .text = "<html>"},
                       PLATFORM_DONE);
    ask_assert_outcome(&(Ask){.method = PLATFORM_DELETE, .status = 404, .text = own},
                       PLATFORM_ABSENT);
    ask_assert_outcome(&(Ask){.method = PLATFORM_DELETE, .status = 404, .text = "<html>"}, BUSY);
    ask_assert_outcome(&(Ask){.method = PLATFORM_DELETE, .status = 403, .text = own},
                       PLATFORM_FORBIDDEN);
    ask_assert_outcome(&(Ask){.method = PLATFORM_DELETE, .status = 401, .text = own},
                       PLATFORM_UNAUTHORIZED);
    ask_assert_outcome(&(Ask){.method = PLATFORM_DELETE, .status = 500, .text = own}, UNKNOWN);
}

/* The sample answer of the platform's documentation, which is no JSON. */
static void test_documented_answer(void **state)
{
    _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(65536);
    PlatformAnswer answer;
    Ask question = {.method = PLATFORM_CREATE, .status = 200};

    (void)state;
    assert_int_equal(file_read(AT_FDCWD, "tests/data/answer-invalid.json", &text, NULL), 0);
    question.text = buffer_data(&text);
    question.size = buffer_size(&text);
    answer = ask_read(&question);
    assert_instance(&answer, 1234, TOKEN);
    assert_string_equal(answer.instances[0].element, "jira");
    assert_true(answer.is_unconfirmed);
    platform_answer_deinit(&answer);
}

/* Cut at each byte: a success just when id and token were whole, and never one that was cut. */
static void assert_each_cut(const char *text, bool is_broken)
{
    size_t id_ends = (size_t)(strstr(text, "42") - text) +
                     3; /* the byte behind it says that it ended */
    size_t token_ends = (size_t)(strstr(text, TOKEN) - text) + strlen(TOKEN) + 1;
    size_t known = id_ends > token_ends ? id_ends : token_ends;

    for (size_t size = 1; size <= strlen(text); size++) {
        Ask question = {.method = PLATFORM_CREATE,
                        .status = 200,
                        .text = text,
                        .size = size,
                        .is_broken = is_broken};
        PlatformAnswer answer = ask_read(&question);

        if ((answer.outcome == PLATFORM_DONE) != (size >= known))
            fail_msg("cut after %zu bytes: outcome %d", size, answer.outcome);
        if (answer.outcome == PLATFORM_DONE)
            assert_instance(&answer, 42, TOKEN);
        else
            assert_int_equal(answer.outcome, PLATFORM_UNKNOWN);
        assert_int_equal(answer.is_unconfirmed,
                         answer.outcome == PLATFORM_DONE && (is_broken || size < strlen(text)));
        platform_answer_deinit(&answer);
    }
}

static void test_each_cut(void **state)
{
    static const char *const texts[] = {
        "{\"id\":42,\"name\":\"n\",\"token\":\"" TOKEN "\",\"element\":{\"id\":1,\"key\":\"jira\"},"
        "\"tags\":[\"elementd.o\"],\"disabled\":false,\"valid\":true}",
        "{\"token\":\"" TOKEN "\",\"element\":{\"key\":\"jira\"},\"id\":42}",
        "{\"element\":{\"id\":7,\"token\":\"no\"},\"id\":42,\"token\":\"" TOKEN "\"}",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        assert_each_cut(texts[i], true);
        assert_each_cut(texts[i], false);
    }
}

/* 2xx without a usable id and token: perhaps it was made. */
static void test_unreadable_success(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "null",
        "<html>Success!</html>",
        "{\"id\":42}",
        "{\"token\":\"t\"}",
        "{\"id\":0,\"token\":\"t\"}",
        "{\"id\":-42,\"token\":\"t\"}",
        "{\"id\":42.0,\"token\":\"t\"}",
        "{\"id\":\"42\",\"token\":\"t\"}",
        "{\"id\":42,\"token\":\"\"}",
        "{\"id\":42,\"token\":\"a\\u0000b\"}",
        "{\"id\":42,\"token\":\"a b\"}",
        "{\"id\":42,\"token\":null}",
        "{\"instance\":{\"id\":42,\"token\":\"t\"}}",
        "[{\"id\":42,\"token\":\"t\"},{\"id\":43,\"token\":\"u\"}]",
        "[[{\"id\":42,\"token\":\"t\"}]]",
    };

    (void)state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        ask_assert_outcome(&(Ask){.method = PLATFORM_CREATE, .status = 200, .text = texts[i]},
                           UNKNOWN);
        ask_assert_outcome(&(Ask){.method = PLATFORM_READ, .status = 200, .text = texts[i]},
                           UNKNOWN);
    }
}

static void test_read(void **state)
{
    PlatformAnswer answer;

    (void)state;
    answer = ask_read(&(Ask){.method = PLATFORM_READ,
                             .status = 200,
                             .text = "{\"id\":42,\"token\":\"t\",\"disabled\":true}"});
    assert_instance(&answer, 42, "t");
    assert_true(answer.instances[0].is_disabled);
    platform_answer_deinit(&answer);
    /* A cache, or a proxy, that mixes answers up. */
    ask_assert_outcome(
        &(Ask){.method = PLATFORM_READ, .status = 200, .text = "{\"id\":43,\"token\":\"t\"}"},
        UNKNOWN);
}

/* ---- lists ---- */

#define ROW(id, name)                                                                              \
    "{\"id\":" id ",\"token\":\"t" id "\",\"tags\":[\"elementd.o\",\"elementd.o." name "\"]}"

static void test_list(void **state)
{
    PlatformAnswer answer = ask_read(
        &(Ask){.method = PLATFORM_LIST,
               .status = 200,
               .text = "[" ROW("1", "a") ",{\"id\":2,\"tags\":[\"x\"]},3," ROW("4", "b") "]",
               .next_page = "p2"});

    (void)state;
    assert_int_equal(answer.outcome, PLATFORM_DONE);
    assert_int_equal(answer.n_instances, 3);
    assert_string_equal(answer.instances[0].name, "a");
    assert_true(answer.instances[0].is_owned);
    assert_false(answer.instances[1].is_owned);
    assert_string_equal(answer.instances[2].name, "b");
    assert_string_equal(answer.next_page, "p2");
    assert_false(answer.is_unconfirmed);
    platform_answer_deinit(&answer);
    answer = ask_read(&(Ask){.method = PLATFORM_LIST, .status = 200, .text = "[]"});
    assert_int_equal(answer.outcome, PLATFORM_DONE);
    assert_int_equal(answer.n_instances, 0);
    assert_null(answer.next_page);
    platform_answer_deinit(&answer);
}

/* We ask for tagged ones: a row that shows no tags may be any of ours, and must not count as none. */
static void test_list_without_tags(void **state)
{
    (void)state;
    ask_assert_outcome(&(Ask){.method = PLATFORM_LIST,
                              .status = 200,
                              .text = "[" ROW("1", "a") ",{\"id\":2,\"token\":\"t\"}]"},
                       BUSY);
    /* An empty list of them does say it: it is nobody's. */
    ask_assert_outcome(
        &(Ask){.method = PLATFORM_LIST, .status = 200, .text = "[{\"id\":2,\"tags\":[]}]"}, OK);
}

/* Half a list would make "not there" of what is there, and a second instance of it. */
static void test_list_is_whole(void **state)
{
    static const char text[] = "[" ROW("1", "a") "," ROW("2", "b") "]";
    static const char *const no_lists[] = {
        "",    "{}",    ROW("1", "a"),        "null", "\"[]\"", "<html>", "[" ROW("1", "a") "]]",
        "[]x", "[],[]", "{\"instances\":[]}", "0",    "[",      "[1,",
    };

    (void)state;
    for (size_t size = 1; size < strlen(text); size++)
        ask_assert_outcome(
            &(Ask){.method = PLATFORM_LIST, .status = 200, .text = text, .size = size}, BUSY);
    for (size_t i = 0; i < N_ELEMENTS(no_lists); i++)
        ask_assert_outcome(&(Ask){.method = PLATFORM_LIST, .status = 200, .text = no_lists[i]},
                           BUSY);
    /* All of it is there, but the connection says that it is not. */
    ask_assert_outcome(
        &(Ask){.method = PLATFORM_LIST, .status = 200, .text = text, .is_broken = true}, BUSY);
    ask_assert_outcome(
        &(Ask){.method = PLATFORM_LIST, .status = 200, .text = "[]", .is_broken = true}, BUSY);
}

/* ---- what an element requires ---- */

static void test_explain(void **state)
{
    PlatformAnswer answer = ask_read(&(Ask){
        .method = PLATFORM_EXPLAIN,
        .status = 200,
        .text = "[{\"key\":\"a\",\"required\":true},{\"key\":\"b\"}]",
    });

    (void)state;
    assert_int_equal(answer.outcome, PLATFORM_DONE);
    assert_false(answer.is_unconfirmed);
    assert_int_equal(answer.keys.n_items, 2);
    assert_string_equal(answer.keys.items[0].name, "a");
    assert_true(answer.keys.items[0].is_required);
    assert_false(answer.keys.items[1].is_required);
    platform_answer_deinit(&answer);
    /* All of it is there, but the connection says that it is not. */
    answer = ask_read(
        &(Ask){.method = PLATFORM_EXPLAIN, .status = 200, .text = "[]", .is_broken = true});
    assert_int_equal(answer.outcome, PLATFORM_DONE);
    assert_true(answer.is_unconfirmed);
    platform_answer_deinit(&answer);
    answer = ask_read(&(Ask){.method = PLATFORM_EXPLAIN, .status = 200, .text = "<html>"});
    assert_int_equal(answer.outcome, PLATFORM_DONE);
    assert_true(answer.is_unconfirmed);
    assert_int_equal(answer.keys.n_items, 0);
    platform_answer_deinit(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_documented_answer),
        cmocka_unit_test(test_each_cut),
        cmocka_unit_test(test_unreadable_success),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_without_tags),
        cmocka_unit_test(test_list_is_whole),
        cmocka_unit_test(test_explain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
