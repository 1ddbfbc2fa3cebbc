#include "tests/sandbox/api_auth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

typedef struct ApiAuth {
    const char *user;
    const char *organization;
    const char *element;
} ApiAuth;

typedef struct ApiAuthWord {
    const char *word;
    size_t offset;
} ApiAuthWord;

static const ApiAuthWord api_auth_words[] = {
    {"User", offsetof(ApiAuth, user)},
    {"Organization", offsetof(ApiAuth, organization)},
    {"Element", offsetof(ApiAuth, element)},
};

/* Cuts `text` into pieces, into which the result points. */
static void api_auth_parse(char *text, ApiAuth *ret_auth)
{
    ApiAuth auth = {};
    char *piece;

    while ((piece = strsep(&text, ","))) {
        char *value;

        piece += strspn(piece, " \t");
        value = piece + strcspn(piece, " \t");
        if (*value)
            *value++ = '\0';
        value += strspn(value, " \t");
        value[strcspn(value, " \t")] = '\0';
        for (size_t i = 0; i < N_ELEMENTS(api_auth_words); i++)
            if (strcasecmp(piece, api_auth_words[i].word) == 0)
                *(const char **)((char *)&auth + api_auth_words[i].offset) = value;
    }
    *ret_auth = auth;
}

/* The account of an Element token that comes with a user but no organization. */
static Account *api_auth_find_owner(const World *world, const char *user, const Instance *caller)
{
    for (size_t i = 0; i < world->n_accounts; i++) {
        Account *account = world->accounts[i];

        if (caller && account->id == caller->account && !account->is_revoked &&
            strcmp(account->user, user) == 0)
            return account;
    }
    return NULL;
}

int api_auth_check(ApiCall *call)
{
    _cleanup_(freep) char *text = NULL;
    ApiAuth auth;

    if (!call->request->authorization)
        return api_call_refuse(call, 401, NULL);
    text = strdup(call->request->authorization);
    if (!text)
        return -ENOMEM;
    api_auth_parse(text, &auth);
    if (!auth.user)
        return api_call_refuse(call, 401, NULL);
    if (auth.element)
        call->caller = world_find_token(call->world, auth.element);
    call->account = auth.organization
                        ? world_find_account(call->world, auth.user, auth.organization)
                        : api_auth_find_owner(call->world, auth.user, call->caller);
    if (!call->account ||
        (auth.element && (!call->caller || call->caller->account != call->account->id)))
        return api_call_refuse(call, 401, NULL);
    if (call->caller && call->caller->is_disabled)
        return api_call_refuse(call, 403, "The element instance %lld is disabled.",
                               (long long)call->caller->id);
    return 0;
}
