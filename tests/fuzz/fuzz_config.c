/*
 * One text as each of the files of the configuration: as an instance, an account and the settings.
 *
 * Beyond not crashing: problems are lines that stand in the text's own order, a file without an error is
 * usable, its body is JSON and ends with our tags, and reading it again gives the same.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json_value.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "config/config.h"
#include "config/instance_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(), also in a build without assertions. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static const DigestKey fuzz_key = {.bytes = {1}};

static Account fuzz_account = {.name = (char *)"default"};
static Account *const fuzz_accounts[] = {&fuzz_account};

static void check_line(const char *text)
{
    CHECK(utf8_is_valid(text, strlen(text)));
    CHECK(!strchr(text, '\n') && !strchr(text, '\x1B'));
}

static void check_problems(Problems *problems, const char *error)
{
    JsonPosition last = {1, 1};

    CHECK((error != NULL) == (problems->n_errors > 0));
    for (size_t i = 0; i < problems->n_items; i++) {
        const Problem *problem = &problems->items[i];

        check_line(problem->message);
        CHECK(strlen(problem->message) <= PROBLEM_BYTES_MAX);
        CHECK(problem->at.line > last.line ||
              (problem->at.line == last.line && problem->at.column >= last.column));
        last = problem->at;
    }
    problems_deinit(problems);
}

static InstanceBody parse_body(const DocumentSource *source)
{
    Problems problems = {};
    InstanceBody body;

    CHECK(instance_body_parse(source, "me", &fuzz_key, &problems, &body) == 0);
    CHECK((body.body != NULL) == (problems.n_errors == 0));
    problems_deinit(&problems);
    return body;
}

/* What goes out later is what was checked: reading it again makes a body of the same digests. */
static void check_body(const Instance *instance, const DocumentSource *source)
{
    InstanceBody made = parse_body(source);
    const char *text = secret_reveal(made.body);
    size_t size = secret_size(made.body);
    Arena arena = ARENA_INIT(json_value_arena_max(size));
    const JsonValue *tags;
    JsonValue *body;

    CHECK(size > 0 && size <= BODY_BYTES_MAX);
    CHECK(json_value_parse(&arena, text, size, 0, &body, NULL) == 0);
    CHECK(!json_value_find(body, "elementd"));
    CHECK(json_value_find(json_value_find(body, "element"), "key"));
    tags = json_value_find(body, "tags");
    CHECK(tags && tags->type == JSON_ARRAY && tags->n_children >= 2);
    CHECK(strcmp(tags->last->text, "elementd.me.i") == 0);
    arena_deinit(&arena);
    CHECK(digest_equal(&instance->labels_digest, &made.labels_digest));
    CHECK(digest_equal(&instance->body_digest, &made.body_digest));
    instance_body_deinit(&made);
}

static Instance *parse_instance(const DocumentSource *source)
{
    Settings settings = {.owner = (char *)"me"};
    InstanceContext context = {
        .settings = &settings,
        .accounts = fuzz_accounts,
        .n_accounts = 1,
        .key = &fuzz_key,
    };
    Instance *instance = NULL;
    Problems problems = {};

    CHECK(instance_parse(source, &context, &problems, &instance) == 0);
    check_problems(&problems, instance->problem);
    CHECK(instance->has_body == (instance->problem == NULL));
    CHECK(instance->terms->account != NULL);
    return instance;
}

static void run_instance(const DocumentSource *source)
{
    _cleanup_(instance_freep) Instance *instance = parse_instance(source);
    _cleanup_(instance_freep) Instance *again = parse_instance(source);

    if (instance->problem) {
        InstanceBody body = parse_body(source); /* whatever it makes of it */

        instance_body_deinit(&body);
        check_line(instance->problem);
        CHECK(strcmp(instance->problem, again->problem) == 0);
        return;
    }
    check_body(instance, source);
    CHECK(digest_equal(&instance->labels_digest, &again->labels_digest));
    CHECK(digest_equal(&instance->body_digest, &again->body_digest));
}

static void run_account(const DocumentSource *source)
{
    _cleanup_(account_freep) Account *account = NULL;
    Problems problems = {};

    CHECK(account_parse(source, &problems, &account) == 0);
    check_problems(&problems, account->problem);
    if (account->problem)
        return;
    CHECK(strncmp(account->url, "https://", 8) == 0 ||
          strncmp(account->url, "http://localhost", 16) == 0 ||
          strncmp(account->url, "http://127.", 11) == 0 ||
          strncmp(account->url, "http://[", 8) == 0);
    CHECK(secret_size(account->user) > 0 && secret_size(account->organization) > 0);
    CHECK(!strpbrk(secret_reveal(account->user), ",\r\n"));
}

static void run_settings(const DocumentSource *source)
{
    Settings settings = {};
    Problems problems = {};

    CHECK(settings_parse(source, source->file, &problems, &settings) == 0);
    check_problems(&problems, settings.problem);
    CHECK(settings.parallel >= 1 && settings.parallel <= 256);
    CHECK(settings.request_timeout >= USEC_PER_SEC &&
          settings.verify_interval >= 10 * USEC_PER_SEC);
    CHECK(settings.owner || settings.problem);
    settings_deinit(&settings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    DocumentSource source = {
        .name = "i",
        .file = "f.json",
        .text = size > 0 ? (const char *)data : "",
        .size = size,
        .is_world_readable = true,
    };

    if (size > CONFIG_FILE_BYTES_MAX)
        return 0;
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    /* Opening some devices does something; references must not lead there by chance. */
    if (size > 0 && memmem(data, size, "/dev", 4))
        return 0;
    run_instance(&source);
    run_account(&source);
    run_settings(&source);
    return 0;
}
