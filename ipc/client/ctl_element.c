#include "ipc/client/ctl_element.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "ipc/client/ctl_failure.h"

/* So many elements are named where none has the key that was asked for. */
#define CTL_ELEMENT_NEAR_MAX 5

#define CTL_ELEMENT_ACCOUNT_DEFAULT "default"

void ctl_element_deinit(CtlElement *element)
{
    free(element->keys);
    free(element->reason);
    ctl_reply_deinit(&element->reply);
    *element = (CtlElement){};
}

static int ctl_element_add(CtlElement *element, CtlElementKey key)
{
    CtlElementKey *keys;

    if (element->n_keys == CTL_ELEMENT_KEYS_MAX)
        return -E2BIG;
    keys = reallocarray(element->keys, element->n_keys + 1, sizeof(*keys));
    if (!keys)
        return -ENOMEM;
    element->keys = keys;
    element->keys[element->n_keys++] = key;
    return 0;
}

/* ---- from the catalogue ---- */

static int ctl_element_add_list(CtlElement *element, const Element *known, ElementText list,
                                bool is_required)
{
    ElementText name;
    int r = 0;

    while (r == 0 && element_next_key(&list, &name))
        r = ctl_element_add(element, (CtlElementKey){
                                         .name = name,
                                         .is_required = is_required,
                                         .is_secret = element_has_secret(known, name),
                                     });
    return r;
}

static int ctl_element_take_catalogue(CtlElement *element, const Element *known)
{
    int r;

    r = ctl_element_add_list(element, known, known->optional, false);
    return r == 0 ? ctl_element_add_list(element, known, known->required, true) : r;
}

/* ---- from the platform ---- */

static bool ctl_element_is_true(const JsonValue *object, const char *key)
{
    const JsonValue *value = json_value_find(object, key);

    return value && value->type == JSON_BOOLEAN && value->boolean;
}

/* 0, -EBADMSG for what is no reply to DescribeElement, or -errno. */
static int ctl_element_take_reply(CtlElement *element)
{
    const JsonValue *keys = json_value_find(element->reply.parameters, "keys");

    if (!keys || keys->type != JSON_ARRAY)
        return -EBADMSG;
    JSON_VALUE_FOREACH(key, keys) {
        const char *name = key->type == JSON_OBJECT ? ctl_reply_text(key, "name") : NULL;
        int r;

        if (!name)
            return -EBADMSG;
        r = ctl_element_add(element, (CtlElementKey){
                                         .name = {name, strlen(name)},
                                         .is_required = ctl_element_is_true(key, "isRequired"),
                                         .is_secret = ctl_element_is_true(key, "isSecret"),
                                         .default_value = ctl_reply_text(key, "default"),
                                     });
        if (r < 0)
            return r;
    }
    return 0;
}

static void ctl_element_write(JsonWriter *json, const void *userdata)
{
    const CtlElement *element = userdata;

    json_writer_key(json, "element");
    json_writer_text(json, element->key.text, element->key.size);
    json_writer_key(json, "account");
    json_writer_string(json, element->account);
}

/* ---- why the platform could not be asked ---- */

static bool ctl_element_is_error(const elementd_error *details, const char *name)
{
    return details && details->name && strcmp(details->name, name) == 0;
}

/* What was wrong, after "…: "; the caller's, or NULL without memory. */
static char *ctl_element_reason(const CtlElement *element, int error, const elementd_error *details)
{
    char *words;
    int n;

    if (error == ELEMENTD_E_NO_DAEMON)
        n = asprintf(&words, "elementd is not running");
    else if (error == ELEMENTD_E_DENIED)
        n = asprintf(&words, "only root may have elementd ask it");
    else if (ctl_element_is_error(details, "io.elementd.NoSuchAccount"))
        n = asprintf(&words, "elementd has no account \"%s\" that can be used", element->account);
    else if (ctl_element_is_error(details, "io.elementd.PlatformUnavailable"))
        n = asprintf(&words, "%s", details->problem ? details->problem : "it gave no answer");
    else
        n = asprintf(&words, "%s%s%s", elementd_strerror(error),
                     details && details->name ? ": " : "",
                     details && details->name ? details->name : "");
    return n < 0 ? NULL : words;
}

/* ---- finding it ---- */

static CtlStatus ctl_element_report_unknown(const char *word)
{
    _cleanup_(buffer_deinit) Buffer words = BUFFER_INIT(4096);
    Element near[CTL_ELEMENT_NEAR_MAX];
    size_t n = element_find_near(word, N_ELEMENTS(near), near);

    for (size_t i = 0; i < n; i++)
        if (buffer_printf(&words, "%s%.*s (%.*s)", i > 0 ? ", " : "", ELEMENT_PRINT(near[i].key),
                          ELEMENT_PRINT(near[i].name)) != 0)
            break;
    if (n > 0)
        ctl_failure_say("no element \"%.100s\" is known; near it: %.*s", word,
                        (int)buffer_size(&words), buffer_data(&words));
    else
        ctl_failure_say("no element \"%.100s\" is known; those that are: elementctl template "
                        "--list",
                        word);
    return CTL_OTHER;
}

/* Fills in what the platform says, or why it does not. CTL_OK, or what was said: that there is no such element. */
static CtlStatus ctl_element_ask(const Ctl *ctl, CtlElement *element, bool is_known)
{
    _cleanup_(elementd_closep) elementd *daemon = NULL;
    const elementd_error *details;
    int r;

    r = ctl_call_try(ctl, "io.elementd.DescribeElement", NULL, ctl_element_write, element,
                     DESCRIBE_WAIT_USEC, &daemon, &element->reply);
    if (r == 0)
        r = ctl_element_take_reply(element);
    if (r == 0) {
        element->is_platform = true;
        return CTL_OK;
    }
    element->n_keys = 0;
    details = daemon ? elementd_last_error(daemon) : NULL;
    if (!ctl_element_is_error(details, "io.elementd.NoSuchElement")) {
        element->reason = ctl_element_reason(element, r, details);
        return CTL_OK;
    }
    if (!is_known)
        return ctl_element_report_unknown(element->key.text);
    ctl_failure_say("the platform has no element \"%s\" any more; what its documentation said of "
                    "it: elementctl template --offline %s",
                    element->key.text, element->key.text);
    return CTL_OTHER;
}

CtlStatus ctl_element_find(const Ctl *ctl, const char *word, CtlElement *ret_element)
{
    CtlElement *element = ret_element;
    Element known = {};
    bool is_known = element_find(word, &known);
    CtlStatus status = CTL_OK;
    int r = 0;

    *element = (CtlElement){
        .key = {word, strlen(word)},
        .name = is_known ? known.name : (ElementText){word, strlen(word)},
        .authentication = known.authentication,
        .account = ctl->options.account ? ctl->options.account : CTL_ELEMENT_ACCOUNT_DEFAULT,
    };
    /* No instance file may name one with a "$". */
    if (!ctl_options_has(&ctl->options, CTL_OPTION_OFFLINE) && !strchr(word, '$'))
        status = ctl_element_ask(ctl, element, is_known);
    if (status != CTL_OK || element->is_platform)
        return status;
    if (!is_known)
        return ctl_element_report_unknown(word);
    r = ctl_element_take_catalogue(element, &known);
    return r == 0 ? CTL_OK : ctl_failure_report(ctl, NULL, r, NULL, NULL);
}
