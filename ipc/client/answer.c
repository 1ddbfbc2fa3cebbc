#include "ipc/client/answer.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

typedef enum AnswerType {
    ANSWER_TEXT,    /* const char * */
    ANSWER_INTEGER, /* int64_t */
    ANSWER_COUNT,   /* uint64_t */
    ANSWER_BOOLEAN, /* int */
} AnswerType;

/* A member of an object, and where its value goes in the struct that is filled in. */
typedef struct AnswerMember {
    const char *name;
    AnswerType type;
    bool is_optional; /* absent, null and 0 are the same */
    size_t offset;
} AnswerMember;

static const AnswerMember answer_token_members[] = {
    {"token", ANSWER_TEXT, false, offsetof(AnswerToken, token)},
    {"id", ANSWER_INTEGER, false, offsetof(AnswerToken, id)},
    {"verifiedUSec", ANSWER_COUNT, true, offsetof(AnswerToken, verified_usec)},
};

static const AnswerMember answer_news_members[] = {
    {"token", ANSWER_TEXT, true, offsetof(AnswerToken, token)},
    {"id", ANSWER_INTEGER, true, offsetof(AnswerToken, id)},
};

static const AnswerMember answer_authorization_members[] = {
    {"authorization", ANSWER_TEXT, false, 0},
};

static const AnswerMember answer_instance_members[] = {
    {"name", ANSWER_TEXT, false, offsetof(elementd_instance, name)},
    {"element", ANSWER_TEXT, false, offsetof(elementd_instance, element)},
    {"account", ANSWER_TEXT, false, offsetof(elementd_instance, account)},
    {"state", ANSWER_TEXT, false, offsetof(elementd_instance, state)},
    {"id", ANSWER_INTEGER, true, offsetof(elementd_instance, id)},
    {"hasToken", ANSWER_BOOLEAN, false, offsetof(elementd_instance, has_token)},
    {"sinceUSec", ANSWER_COUNT, false, offsetof(elementd_instance, since_usec)},
    {"verifiedUSec", ANSWER_COUNT, true, offsetof(elementd_instance, verified_usec)},
    {"retryUSec", ANSWER_COUNT, true, offsetof(elementd_instance, retry_usec)},
    {"attempts", ANSWER_COUNT, false, offsetof(elementd_instance, attempts)},
    {"problem", ANSWER_TEXT, true, offsetof(elementd_instance, problem)},
    {"problemKind", ANSWER_TEXT, true, offsetof(elementd_instance, problem_kind)},
    {"problemSinceUSec", ANSWER_COUNT, true, offsetof(elementd_instance, problem_since_usec)},
};

static const AnswerMember answer_problem_members[] = {
    {"file", ANSWER_TEXT, false, offsetof(elementd_problem, file)},
    {"line", ANSWER_COUNT, false, offsetof(elementd_problem, line)},
    {"column", ANSWER_COUNT, false, offsetof(elementd_problem, column)},
    {"message", ANSWER_TEXT, false, offsetof(elementd_problem, message)},
};

static const AnswerMember answer_error_members[] = {
    {"instance", ANSWER_TEXT, true, offsetof(elementd_error, instance)},
    {"state", ANSWER_TEXT, true, offsetof(elementd_error, state)},
    {"problem", ANSWER_TEXT, true, offsetof(elementd_error, problem)},
    {"retryUSec", ANSWER_COUNT, true, offsetof(elementd_error, retry_usec)},
};

static const struct {
    const char *name;
    int outcome;
} answer_errors[] = {
    {"io.elementd.NoSuchInstance", ELEMENTD_E_NO_SUCH_INSTANCE},
    {"io.elementd.NotReady", ELEMENTD_E_NOT_READY},
    {"io.elementd.Failed", ELEMENTD_E_FAILED},
    {VARLINK_PERMISSION_DENIED, ELEMENTD_E_DENIED},
};

/* Puts one value in its place; false, with nothing changed, when it is not of the member's type. */
static bool answer_set(const AnswerMember *member, const JsonValue *value, void *target)
{
    char *place = (char *)target + member->offset;
    int truth = value->boolean;
    int64_t number;

    switch (member->type) {
    case ANSWER_TEXT:
        if (!json_value_is_text(value))
            return false;
        memcpy(place, &value->text, sizeof(value->text));
        return true;
    case ANSWER_INTEGER:
    case ANSWER_COUNT:
        if (value->type != JSON_NUMBER || json_parse_int64(value->text, value->size, &number) < 0)
            return false;
        if (member->type == ANSWER_COUNT && number < 0)
            return false;
        /* Of one size, and the same bytes for what is not negative. */
        memcpy(place, &number, sizeof(number));
        return true;
    case ANSWER_BOOLEAN:
        if (value->type != JSON_BOOLEAN)
            return false;
        memcpy(place, &truth, sizeof(truth));
        return true;
    }
    return false;
}

/* Fills `target`, which is zeroed, in from the members of `object`. Of two members of one name the first counts. */
static int answer_read(const JsonValue *object, const AnswerMember *members, size_t n, void *target)
{
    for (size_t i = 0; i < n; i++) {
        const JsonValue *value = json_value_find(object, members[i].name);

        if (!value || value->type == JSON_NULL) {
            if (!members[i].is_optional)
                return ELEMENTD_E_PROTOCOL;
        } else if (!answer_set(&members[i], value, target)) {
            return ELEMENTD_E_PROTOCOL;
        }
    }
    return 0;
}

int answer_read_token(const JsonValue *parameters, AnswerToken *ret_token)
{
    AnswerToken token = {};
    int r;

    r = answer_read(parameters, answer_token_members, N_ELEMENTS(answer_token_members), &token);
    if (r != 0)
        return r;
    *ret_token = token;
    return 0;
}

int answer_read_news(const JsonValue *parameters, AnswerToken *ret_token)
{
    AnswerToken token = {};
    int r;

    r = answer_read(parameters, answer_news_members, N_ELEMENTS(answer_news_members), &token);
    if (r != 0)
        return r;
    *ret_token = token;
    return 0;
}

int answer_read_authorization(const JsonValue *parameters, const char **ret_authorization)
{
    return answer_read(parameters, answer_authorization_members,
                       N_ELEMENTS(answer_authorization_members), ret_authorization);
}

int answer_read_problem(const JsonValue *object, elementd_problem *ret_problem)
{
    elementd_problem problem = {};
    int r;

    r = answer_read(object, answer_problem_members, N_ELEMENTS(answer_problem_members), &problem);
    if (r != 0)
        return r;
    *ret_problem = problem;
    return 0;
}

int answer_read_instance(const JsonValue *object, elementd_instance *ret_instance)
{
    elementd_instance instance = {};
    int r;

    r = answer_read(object, answer_instance_members, N_ELEMENTS(answer_instance_members),
                    &instance);
    if (r != 0)
        return r;
    *ret_instance = instance;
    return 0;
}

int answer_read_error(const VarlinkReply *reply, elementd_error *ret_error)
{
    *ret_error = (elementd_error){.name = reply->error};
    for (size_t i = 0; i < N_ELEMENTS(answer_error_members); i++) {
        const AnswerMember *member = &answer_error_members[i];
        const JsonValue *value = json_value_find(reply->parameters, member->name);

        if (value)
            (void)answer_set(member, value, ret_error);
    }
    for (size_t i = 0; i < N_ELEMENTS(answer_errors); i++)
        if (strcmp(answer_errors[i].name, reply->error) == 0)
            return answer_errors[i].outcome;
    return ELEMENTD_E_REMOTE;
}
