/*
 * One text as the body of every answer: each reader, and each question with each kind of status.
 *
 * Beyond not crashing: no token is taken that could not stand in a header, nothing is absent or created but by the
 * rules, words are lines of UTF-8 that show no secret, and half of a body says no more than all of it.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "daemon/platform.h"
#include "daemon/platform_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(), also in a build without assertions. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#define FUZZ_SECRET "hunter2"

static const int fuzz_statuses[] = {0,   100, 200, 204, 302, 400, 401, 403,
                                    404, 409, 413, 422, 429, 500, 503};

static Secret *secret_of(const char *text)
{
    Secret *secret;

    CHECK(secret_new(text, strlen(text), &secret) == 0);
    return secret;
}

static void check_line(const char *text)
{
    CHECK(utf8_is_valid(text, strlen(text)));
    for (const char *c = text; *c; c++)
        CHECK((unsigned char)*c >= ' ' && *c != 0x7F);
}

static void check_instance(const PlatformInstance *instance)
{
    const char *token = secret_reveal(instance->token);

    CHECK(instance->id >= 0);
    if (instance->token) {
        CHECK(secret_size(instance->token) > 0 && secret_size(instance->token) <= TOKEN_BYTES_MAX);
        CHECK(strlen(token) == secret_size(instance->token));
        for (; *token; token++)
            CHECK(*token > ' ' && *token < 0x7F && *token != ',');
    }
    CHECK(!instance->name || *instance->name);
    CHECK(instance->has_tags || (!instance->is_owned && !instance->name));
    if (instance->element)
        check_line(instance->element);
}

static void check_keys(const PlatformKeys *keys)
{
    CHECK(keys->n_items <= PLATFORM_KEYS_MAX);
    for (size_t i = 0; i < keys->n_items; i++) {
        const PlatformKey *key = &keys->items[i];

        CHECK(*key->name && strlen(key->name) <= PLATFORM_KEY_BYTES_MAX);
        check_line(key->name);
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(key->name, keys->items[j].name) != 0);
        if (!key->default_value)
            continue;
        CHECK(!key->is_secret && !key->is_required);
        CHECK(strlen(key->default_value) <= PLATFORM_DEFAULT_BYTES_MAX);
        check_line(key->default_value);
    }
}

static void check_created(const PlatformAnswer *answer, int status)
{
    CHECK(answer->outcome != PLATFORM_ABSENT);
    if (answer->outcome != PLATFORM_DONE)
        return;
    CHECK(status >= 200 && status < 300);
    CHECK(answer->n_instances == 1 && answer->instances->id > 0 && answer->instances->token);
}

static void check_answer(const PlatformQuestion *question, const HttpAnswer *http,
                         const PlatformAnswer *answer)
{
    bool is_success = http->status >= 200 && http->status < 300;

    for (size_t i = 0; i < answer->n_instances; i++)
        check_instance(&answer->instances[i]);
    check_keys(&answer->keys);
    CHECK((answer->outcome == PLATFORM_DONE) == !answer->problem);
    if (answer->problem) {
        check_line(answer->problem);
        CHECK(strlen(answer->problem) <= 4 * PROBLEM_BYTES_MAX); /* what a record holds */
        CHECK(!strstr(answer->problem, FUZZ_SECRET));
    }
    if (answer->request_id)
        CHECK(strlen(answer->request_id) == 24);
    CHECK(answer->outcome != PLATFORM_ABSENT || http->status == 404);
    CHECK(!answer->is_unconfirmed || answer->outcome == PLATFORM_DONE);
    switch (question->method) {
    case PLATFORM_LIST:
        CHECK(answer->outcome != PLATFORM_ABSENT);
        CHECK(answer->outcome != PLATFORM_DONE || (is_success && http->is_complete) ||
              http->status == 404);
        break;
    case PLATFORM_READ:
        if (answer->outcome == PLATFORM_DONE)
            CHECK(is_success && answer->n_instances == 1 && answer->instances->id == question->id &&
                  answer->instances->token);
        break;
    case PLATFORM_UPDATE:
    case PLATFORM_RELABEL:
        if (answer->outcome == PLATFORM_DONE)
            CHECK(is_success && answer->n_instances == 1 && answer->instances->id == question->id);
        break;
    case PLATFORM_DELETE:
        CHECK(answer->n_instances == 0 && (answer->outcome == PLATFORM_DONE) == is_success);
        break;
    case PLATFORM_CREATE:
        check_created(answer, http->status);
        break;
    case PLATFORM_EXPLAIN:
        CHECK(answer->n_instances == 0);
        break;
    }
}

static PlatformOutcome ask(const PlatformQuestion *question, const Buffer *body, int status,
                           bool is_complete, usec_t retry_after)
{
    HttpAnswer http = {
        .status = status,
        .is_complete = is_complete,
        .is_sent = true,
        .body = *body, /* borrowed */
        .retry_after = retry_after,
        .problem = (char *)(is_complete ? NULL : "broken off"),
    };
    PlatformAnswer answer;
    PlatformOutcome outcome;

    CHECK(platform_read(question, &http, &answer) == 0);
    check_answer(question, &http, &answer);
    outcome = answer.outcome;
    platform_answer_deinit(&answer);
    return outcome;
}

static void run_questions(const Buffer *body)
{
    _cleanup_(secret_unrefp) Secret *user = secret_of(FUZZ_SECRET "-user");
    _cleanup_(secret_unrefp) Secret *organization = secret_of(FUZZ_SECRET "-organization");
    _cleanup_(secret_unrefp) Secret *token = secret_of(FUZZ_SECRET "-token");
    _cleanup_(secret_unrefp)
        Secret *sent = secret_of("{\"configuration\":{\"password\":\"" FUZZ_SECRET "\"}}");
    Account account = {.user = user, .organization = organization};

    for (PlatformMethod method = 0; method < PLATFORM_N_METHODS; method++) {
        PlatformQuestion question = {
            .method = method,
            .account = &account,
            .owner = "o",
            .name = "i",
            .id = 42,
            .token = token,
            .body = sent,
            .element = "e",
        };

        for (size_t i = 0; i < N_ELEMENTS(fuzz_statuses); i++) {
            (void)ask(&question, body, fuzz_statuses[i], true, 0);
            (void)ask(&question, body, fuzz_statuses[i], true, 5 * USEC_PER_SEC);
            (void)ask(&question, body, fuzz_statuses[i], false, 0);
        }
    }
}

static PlatformInstances read_instances(const Buffer *body)
{
    PlatformInstances instances;

    CHECK(platform_reader_read_instances(body, "o", &instances) == 0);
    for (size_t i = 0; i < instances.n_items; i++)
        check_instance(&instances.items[i]);
    return instances;
}

static void drop(PlatformInstances *instances)
{
    for (size_t i = 0; i < instances->n_items; i++)
        platform_instance_deinit(&instances->items[i]);
    free(instances->items);
}

/* Half of it is never an array of more rows, nor a whole list when the whole is none. */
static void run_half(const Buffer *body)
{
    _cleanup_(buffer_deinit) Buffer half = BUFFER_INIT(HTTP_BODY_BYTES_MAX);
    PlatformInstances all = read_instances(body), some;

    CHECK(buffer_append(&half, buffer_data(body), buffer_size(body) / 2) == 0);
    some = read_instances(&half);
    CHECK(some.n_items <= all.n_items);
    CHECK(!some.is_array || all.is_array);
    drop(&some);
    drop(&all);
}

static void run_keys(const Buffer *body)
{
    _cleanup_(secret_unrefp) Secret *sent = secret_of("{\"configuration\":{\"a\":1}}");
    _cleanup_(freep) char *missing = NULL;
    PlatformKeys keys;

    CHECK(platform_reader_read_keys(body, &keys) == 0);
    check_keys(&keys);
    CHECK(platform_find_missing(&keys, sent, &missing) == 0);
    if (missing) {
        check_line(missing);
        CHECK(strlen(missing) <= PROBLEM_BYTES_MAX);
    }
    platform_keys_deinit(&keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_(buffer_deinit) Buffer body = BUFFER_INIT(HTTP_BODY_BYTES_MAX);

    if (size > HTTP_BODY_BYTES_MAX)
        return 0;
    if (size > 0)
        CHECK(buffer_append(&body, data, size) == 0);
    run_half(&body);
    run_keys(&body);
    run_questions(&body);
    return 0;
}
