#include "config/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "config/allow.h"
#include "config/body.h"
#include "config/schema.h"

#define INSTANCE_DEFAULT_ACCOUNT "default"

/* So many letters wrong, missing or too many in `elementd` are a slip. */
#define INSTANCE_SLIPS_MAX 3

/* Bytes for the names of accounts in a message. */
#define INSTANCE_ACCOUNTS_SIZE 256

Instance *instance_free(Instance *instance)
{
    if (!instance)
        return NULL;
    shared_unref(instance->name);
    terms_unref(instance->terms);
    free(instance->problem);
    free(instance);
    return NULL;
}

bool instance_equal(const Instance *a, const Instance *b)
{
    return digest_equal(&a->body_digest, &b->body_digest) &&
           digest_equal(&a->labels_digest, &b->labels_digest) && terms_equal(a->terms, b->terms) &&
           account_equal(a->account, b->account) && a->on_remove == b->on_remove;
}

static bool instance_is_first_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool instance_name_is_valid(const char *name)
{
    const char *end = name;

    if (!instance_is_first_char(*name))
        return false;
    while (instance_is_first_char(*end) || *end == '.' || *end == '_' || *end == '-')
        end++;
    return *end == '\0' && end - name <= NAME_BYTES_MAX;
}

/* ---- the key `elementd` ---- */

static int instance_set_account(const SchemaKey *key, Document *document, const JsonValue *value,
                                void *target)
{
    Instance *instance = target;

    (void)key;
    (void)document;
    return shared_new(value->text, strlen(value->text), NULL, &instance->terms->account);
}

static int instance_set_allow(const SchemaKey *key, Document *document, const JsonValue *value,
                              void *target)
{
    const Instance *instance = target;

    return allow_set(key, document, value, instance->terms);
}

typedef struct InstanceRemovalWord {
    const char *word;
    InstanceRemoval removal;
} InstanceRemovalWord;

static const InstanceRemovalWord instance_removal_words[] = {
    {"keep", INSTANCE_KEEP},
    {"delete", INSTANCE_DELETE},
};

static int instance_set_on_remove(const SchemaKey *key, Document *document, const JsonValue *value,
                                  void *target)
{
    Instance *instance = target;

    for (size_t i = 0; i < N_ELEMENTS(instance_removal_words); i++)
        if (strcmp(value->text, instance_removal_words[i].word) == 0) {
            instance->on_remove = instance_removal_words[i].removal;
            return 0;
        }
    document_error(document, value->at, "\"elementd.%s\" must be \"keep\" or \"delete\"",
                   key->name);
    return 0;
}

static const SchemaKey instance_keys[] = {
    {"account", JSON_STRING, .set = instance_set_account},
    {"allow", JSON_ARRAY, .set = instance_set_allow, .offset = offsetof(Terms, allow)},
    {"allow-authorization", JSON_ARRAY, .set = instance_set_allow,
     .offset = offsetof(Terms, allow_authorization)},
    {"on-remove", JSON_STRING, .set = instance_set_on_remove},
};

static const Schema instance_schema = {
    .keys = instance_keys,
    .n_keys = N_ELEMENTS(instance_keys),
    .prefix = BODY_OUR_KEY ".",
};

static int instance_set_ours(const SchemaKey *key, Document *document, const JsonValue *value,
                             void *target)
{
    (void)key;
    return schema_check(&instance_schema, document, value, target);
}

static const SchemaKey instance_root_keys[] = {
    {BODY_OUR_KEY, JSON_OBJECT, .set = instance_set_ours},
};

static const Schema instance_root_schema = {
    .keys = instance_root_keys,
    .n_keys = N_ELEMENTS(instance_root_keys),
    .prefix = "",
    .is_open = true,
};

/* ---- misspelled ---- */

/* Whether `object` can be nothing but ours: it has keys, and all of them are in our table. */
static bool instance_has_our_keys(const JsonValue *object)
{
    if (object->type != JSON_OBJECT || !object->first)
        return false;
    JSON_VALUE_FOREACH(member, object)
        if (!schema_knows(&instance_schema, member))
            return false;
    return true;
}

/* Keys that say who may have what: wherever they stand, they are meant for us. */
static bool instance_is_access_key(const JsonValue *member)
{
    static const char *const keys[] = {"allow", "allow-authorization", "on-remove"};

    for (size_t i = 0; i < N_ELEMENTS(keys); i++)
        if ((member->key[0] | 0x20) == keys[i][0] && strcasecmp(member->key, keys[i]) == 0)
            return true; /* the first letter tells nearly all others */
    return false;
}

static bool instance_has_access_key(const JsonValue *object)
{
    if (object->type != JSON_OBJECT)
        return false;
    JSON_VALUE_FOREACH(member, object)
        if (instance_is_access_key(member))
            return true;
    return false;
}

/* Access keys, or `elementd` itself, where the platform would get them. */
static void instance_check_misplaced(Document *document, const JsonValue *object, bool is_root)
{
    if (!object || object->type != JSON_OBJECT)
        return;
    JSON_VALUE_FOREACH(member, object)
        if (instance_is_access_key(member))
            document_error(document, member->key_at, "\"%s\" belongs into \"" BODY_OUR_KEY "\"",
                           member->key);
        else if (!is_root && strcasecmp(member->key, BODY_OUR_KEY) == 0)
            document_error(document, member->key_at,
                           "\"" BODY_OUR_KEY "\" belongs to the top of the file");
}

static bool instance_looks_like_ours(const JsonValue *member)
{
    size_t ours = strlen(BODY_OUR_KEY), size = member->key_size;

    if (strcmp(member->key, BODY_OUR_KEY) == 0)
        return false;
    if (size > ours + INSTANCE_SLIPS_MAX || size + INSTANCE_SLIPS_MAX < ours)
        return false; /* they are further apart than that, whatever stands in them */
    if (strcasecmp(member->key, BODY_OUR_KEY) == 0)
        return true;
    return (instance_has_our_keys(member) || instance_has_access_key(member)) &&
           schema_distance(member->key, size, BODY_OUR_KEY, ours) <= INSTANCE_SLIPS_MAX;
}

/*
 * Unknown keys go to the platform. Not so what looks like a slip in `elementd` itself, or stands at the wrong
 * place: its lists would be sent away instead of being kept to.
 */
static void instance_check_misspelled(Document *document)
{
    instance_check_misplaced(document, document->root, true);
    instance_check_misplaced(document, json_value_find(document->root, "element"), false);
    JSON_VALUE_FOREACH(member, document->root) {
        if (instance_looks_like_ours(member))
            document_error(document, member->key_at,
                           "unknown key \"%.64s\"; did you mean \"" BODY_OUR_KEY "\"?",
                           member->key);
    }
}

/* Whether the file says nothing of `allow`, in any form that could be meant for it. */
static bool instance_is_silent(const Document *document)
{
    const JsonValue *ours = json_value_find(document->root, BODY_OUR_KEY);

    if (json_value_find(ours, "allow"))
        return false;
    /* What is wrong so far is wrong with the file as such, or with `elementd`: who knows what it was to say. */
    if (document->problems->n_errors > 0)
        return false;
    JSON_VALUE_FOREACH(member, document->root)
        if (instance_has_our_keys(member) && member != ours)
            return false;
    if (!ours)
        return true;
    if (ours->type != JSON_OBJECT)
        return false;
    JSON_VALUE_FOREACH(member, ours)
        if (!schema_knows(&instance_schema, member))
            return false;
    return true;
}

/* ---- the account ---- */

/* "\"default\", \"eu\"", as far as there is room. */
static void instance_list_accounts(const InstanceContext *context, char *ret_list, size_t size)
{
    size_t n = 0;

    ret_list[0] = '\0';
    for (size_t i = 0; i < context->n_accounts; i++) {
        int printed = snprintf(ret_list + n, size - n, "%s\"%s\"", i > 0 ? ", " : "",
                               context->accounts[i]->name);

        if (printed < 0 || (size_t)printed >= size - n - strlen(", …")) {
            (void)snprintf(ret_list + n, size - n, ", …");
            return;
        }
        n += (size_t)printed;
    }
}

static void instance_report_no_account(Document *document, const InstanceContext *context,
                                       const JsonValue *value)
{
    size_t at = value ? value->at : 0;
    const char *which = value ? "there is no such account"
                              : "there is no account \"" INSTANCE_DEFAULT_ACCOUNT
                                "\", which is used when \"" BODY_OUR_KEY ".account\" is not set";
    char list[INSTANCE_ACCOUNTS_SIZE];

    if (context->n_accounts == 0) {
        document_error_of(document, TROUBLE_NO_ACCOUNT, at, "%s; accounts.d declares none", which);
        return;
    }
    instance_list_accounts(context, list, sizeof(list));
    document_error_of(document, TROUBLE_NO_ACCOUNT, at, "%s; accounts.d declares %s", which, list);
}

/* Where the file names none. */
static int instance_fill_account(Instance *instance)
{
    static const char name[] = INSTANCE_DEFAULT_ACCOUNT;

    if (instance->terms->account)
        return 0;
    return shared_new(name, strlen(name), NULL, &instance->terms->account);
}

static int instance_find_account(Instance *instance, Document *document,
                                 const InstanceContext *context)
{
    const JsonValue *ours = json_value_find(document->root, BODY_OUR_KEY);
    const JsonValue *value = json_value_find(ours, "account");
    int r;

    if (!instance->terms->account && value)
        return 0; /* not usable, and told of */
    r = instance_fill_account(instance);
    if (r < 0)
        return r;
    instance->account = account_find(context->accounts, context->n_accounts,
                                     instance->terms->account);
    if (!instance->account)
        instance_report_no_account(document, context, value);
    if (!instance->account || instance->account->problem)
        return 0;
    instance->terms->user = secret_ref(instance->account->user);
    instance->terms->organization = secret_ref(instance->account->organization);
    return 0;
}

/* ---- the whole ---- */

static int instance_check(Instance *instance, Document *document, const InstanceContext *context)
{
    int r;

    instance_check_misspelled(document);
    r = schema_check(&instance_root_schema, document, document->root, instance);
    if (r == 0 && instance_is_silent(document))
        r = acl_copy(&context->settings->allow, &instance->terms->allow);
    if (r == 0)
        r = instance_find_account(instance, document, context);
    if (r == 0)
        r = body_check(document, &instance->terms->element);
    if (r < 0)
        return r;
    if (document->problems->n_errors > 0 || !context->settings->owner)
        return 0;
    r = body_write(document, context->settings->owner, instance->name, context->key, NULL,
                   &instance->labels_digest, &instance->body_digest);
    instance->has_body = r == 0;
    return r;
}

static int instance_read(Instance *instance, const DocumentSource *source,
                         const InstanceContext *context, Problems *problems)
{
    Document document;
    int r;

    r = document_init(&document, source, problems);
    if (r == 0)
        r = instance_check(instance, &document, context);
    document_deinit(&document);
    return r < 0 ? r : 0;
}

/* The problem of a file that is fine in itself: something that it needs is broken. */
static int instance_inherit_problem(Instance *instance, const InstanceContext *context)
{
    int r = 0;

    if (instance->problem)
        return 0;
    if (!context->settings->owner && context->settings->problem) {
        instance->trouble = context->settings->trouble;
        r = asprintf(&instance->problem, "the settings cannot be used: %s",
                     context->settings->problem);
    } else if (instance->account->problem) {
        instance->trouble = instance->account->trouble;
        r = asprintf(&instance->problem, "the account \"%s\" cannot be used: %s",
                     instance->terms->account, instance->account->problem);
    }
    if (r < 0)
        instance->problem = NULL;
    return r < 0 ? -ENOMEM : 0;
}

int instance_parse(const DocumentSource *source, const InstanceContext *context, Problems *problems,
                   Instance **ret_instance)
{
    _cleanup_(instance_freep) Instance *instance = calloc(1, sizeof(*instance));
    int r;

    if (!instance)
        return -ENOMEM;
    r = shared_new(source->name, strlen(source->name), NULL, &instance->name);
    if (r == 0)
        r = terms_new(&instance->terms);
    if (r < 0)
        return r;
    r = instance_read(instance, source, context, problems);
    if (r < 0)
        return r;
    r = instance_fill_account(instance);
    if (r < 0)
        return r;
    terms_share(&instance->terms, context->previous ? context->previous->terms : NULL);
    r = problems_close(problems, &instance->problem, &instance->trouble);
    if (r < 0)
        return r;
    r = instance_inherit_problem(instance, context);
    if (r < 0)
        return r;
    if (!instance->problem &&
        (!instance->has_body || !instance->terms->element || !instance->account)) {
        /* A check that is missing costs this instance, not the daemon. */
        instance->problem = strdup("it cannot be used");
        instance->trouble = TROUBLE_OTHER;
        if (!instance->problem)
            return -ENOMEM;
    }
    *ret_instance = TAKE_PTR(instance);
    return 0;
}
