/*
 * elementctl template: an instance file to fill in, by what the platform says of its element, or by the catalogue.
 *
 * It is JSON with comments, line by line; --json leaves out the comments, and the optional keys, which are comments.
 * What has to be filled in is a placeholder that the configuration's checker reports until it is gone. Secrets are
 * references already, so that none is typed into the file.
 *
 * Names and defaults may be the platform's. Somebody will paste lines of this into a root shell, and have elementd read the
 * rest: nothing of them stands outside a JSON string as it came, and a default refers to nothing.
 */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "ipc/client/ctl_element.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_output.h"
#include "ipc/client/ctl_table.h"
#include "ipc/client/ctl_text.h"

/* OAuth without a browser: with this key beside "externalAuthentication". */
#define CTL_TEMPLATE_REFRESH_TOKEN "oauth.user.refresh_token"

/* A JSON string that is printed: what is longest is a default, of 1 KiB, with an escape for each byte. */
#define CTL_TEMPLATE_STRING_BYTES_MAX (16 * 1024)

/* Options that are about asking. */
#define CTL_TEMPLATE_ASKING                                                                        \
    (CTL_OPTION_ROOT | CTL_OPTION_SOCKET | CTL_OPTION_ACCOUNT | CTL_OPTION_OFFLINE)

typedef struct CtlTemplate {
    CtlOutput *output;
    const CtlElement *element;
    bool has_comments;
    bool needs_comma; /* before the next member */
} CtlTemplate;

static bool ctl_template_is(ElementText text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.text, word, text.size) == 0;
}

/* ---- words that may be the platform's ---- */

/* As a JSON string. */
static void ctl_template_print_string(CtlTemplate *template, ElementText text)
{
    _cleanup_(buffer_deinit) Buffer json = BUFFER_INIT(CTL_TEMPLATE_STRING_BYTES_MAX);
    _cleanup_(buffer_deinit) Buffer safe = BUFFER_INIT(CTL_TEMPLATE_STRING_BYTES_MAX);
    JsonWriter writer;
    int r;

    json_writer_begin(&writer, &json);
    json_writer_text(&writer, text.text, text.size);
    r = json_writer_end(&writer);
    if (r == 0)
        r = ctl_text_append_json(&safe, buffer_data(&json), buffer_size(&json));
    if (r == 0)
        ctl_output_printf(template->output, "%.*s", (int)buffer_size(&safe), buffer_data(&safe));
    else if (template->output->error == 0)
        template->output->error = r < 0 ? r : -E2BIG;
}

/* A default, as the string that it is when elementd has read it: a dollar sign is written twice. */
static void ctl_template_print_default(CtlTemplate *template, const char *value)
{
    _cleanup_(buffer_deinit) Buffer text = BUFFER_INIT(CTL_TEMPLATE_STRING_BYTES_MAX);
    int r = 0;

    for (; *value && r == 0; value++)
        r = buffer_append(&text, *value == '$' ? "$$" : value, *value == '$' ? 2 : 1);
    if (r == 0)
        ctl_template_print_string(template, (ElementText){buffer_data(&text), buffer_size(&text)});
    else if (template->output->error == 0)
        template->output->error = r < 0 ? r : -E2BIG;
}

/* As a part of the name of a credential or a file: a word for the shell, too. */
static void ctl_template_print_word(CtlTemplate *template, ElementText text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.text[i];

        ctl_output_printf(template->output, "%c",
                          isalnum((unsigned char)c) || strchr("._-", c) ? c : '_');
    }
}

/* For people: on a line, and of no effect on a terminal. */
static void ctl_template_print_text(CtlTemplate *template, ElementText text)
{
    _cleanup_(freep) char *copy = strndup(text.text, text.size);

    if (copy)
        ctl_output_text(template->output, copy, CTL_COLOUR_NONE);
    else if (template->output->error == 0)
        template->output->error = -ENOMEM;
}

/* ---- the file ---- */

static void ctl_template_comment(CtlTemplate *template, const char *indent, const char *text)
{
    if (template->has_comments)
        ctl_output_printf(template->output, "%s//%s%s\n", indent, *text ? " " : "", text);
}

/* The configuration's key "base.url" as a word in capitals: BASE_URL. */
static void ctl_template_print_placeholder(CtlTemplate *template, ElementText key)
{
    ctl_output_printf(template->output, "\"<INSERT_");
    for (size_t i = 0; i < key.size; i++) {
        unsigned char c = (unsigned char)key.text[i];

        ctl_output_printf(template->output, "%c", isalnum(c) ? toupper(c) : '_');
    }
    ctl_output_printf(template->output, ">\"");
}

static void ctl_template_print_credential(CtlTemplate *template, const CtlElementKey *key)
{
    ctl_template_print_word(template, template->element->key);
    ctl_output_printf(template->output, "-");
    ctl_template_print_word(template, key->name);
}

static void ctl_template_print_member(CtlTemplate *template, const CtlElementKey *key)
{
    ctl_template_print_string(template, key->name);
    ctl_output_printf(template->output, ": ");
    if (key->is_secret) {
        ctl_output_printf(template->output, "\"${credential:");
        ctl_template_print_credential(template, key);
        ctl_output_printf(template->output, "}\"");
    } else if (key->default_value) {
        ctl_template_print_default(template, key->default_value);
    } else {
        ctl_template_print_placeholder(template, key->name);
    }
}

/* Whether OAuth's own way to sign in has to be replaced by one that needs no browser. */
static bool ctl_template_needs_refresh_token(const CtlElement *element)
{
    return ctl_template_is(element->authentication, "oauth2");
}

/* Then its key is asked for, whatever was said of it. */
static bool ctl_template_is_refresh_token(const CtlElement *element, const CtlElementKey *key)
{
    return ctl_template_needs_refresh_token(element) &&
           ctl_template_is(key->name, CTL_TEMPLATE_REFRESH_TOKEN);
}

/* The first key that is to be filled in and secret, or else the first secret one; NULL: none is. */
static const CtlElementKey *ctl_template_find_secret(const CtlElement *element)
{
    const CtlElementKey *found = NULL;

    for (size_t i = 0; i < element->n_keys; i++) {
        const CtlElementKey *key = &element->keys[i];

        if (key->is_secret && (!found || (key->is_required && !found->is_required)))
            found = key;
    }
    return found;
}

/* How the first secret is made; the others go the same way. */
static void ctl_template_print_secrets(CtlTemplate *template)
{
    const CtlElementKey *key = ctl_template_find_secret(template->element);
    CtlOutput *output = template->output;

    if (!key)
        return;
    ctl_output_printf(
        output,
        "//\n"
        "// Secrets stay out of this file: each ${credential:NAME} is a credential of elementd.service. To make one, as "
        "root\n"
        "// (an instance more of this element needs other names):\n"
        "//     systemd-creds encrypt --name=");
    ctl_template_print_credential(template, key);
    ctl_output_printf(output, " - /etc/credstore.encrypted/");
    ctl_template_print_credential(template, key);
    ctl_output_printf(output,
                      "\n// and pass it on, by a line in /etc/systemd/system/elementd.service.d/");
    ctl_template_print_word(template, template->element->key);
    ctl_output_printf(output, ".conf, below [Service]:\n//     LoadCredentialEncrypted=");
    ctl_template_print_credential(template, key);
    ctl_output_printf(output, ":/etc/credstore.encrypted/");
    ctl_template_print_credential(template, key);
    ctl_output_printf(output, "\n// Then: systemctl daemon-reload && systemctl restart elementd\n");
}

/* Where the keys are from. */
static void ctl_template_print_source(CtlTemplate *template)
{
    const CtlElement *element = template->element;
    CtlOutput *output = template->output;

    if (element->is_platform) {
        ctl_output_printf(
            output, "// The keys are what the platform itself asks for, by the account \"%s\".\n",
            element->account);
        return;
    }
    ctl_output_printf(
        output,
        "// The keys are those of the platform's documentation (authentication: %.*s). The platform may ask for others "
        "by\n"
        "// now; then creating the instance fails, and elementctl status NAME tells what it wants.\n",
        ELEMENT_PRINT(element->authentication));
    if (!element->reason)
        return;
    ctl_output_printf(output, "// The platform could not be asked: ");
    ctl_output_text(output, element->reason, CTL_COLOUR_NONE);
    ctl_output_printf(output, "\n");
}

static void ctl_template_print_head(CtlTemplate *template)
{
    CtlOutput *output = template->output;

    if (!template->has_comments)
        return;
    ctl_output_printf(output, "// ");
    ctl_template_print_text(template, template->element->name);
    ctl_output_printf(
        output,
        ", for elementd. Replace each <INSERT_...> and save this as /etc/elementd/instances.d/NAME.json;\n"
        "// NAME is what programs will ask for. Then, as root:\n"
        "//     chgrp elementd NAME.json && chmod 0640 NAME.json && elementctl check\n"
        "//\n");
    ctl_template_print_source(template);
    ctl_template_print_secrets(template);
}

static bool ctl_template_is_optional(const CtlElement *element, const CtlElementKey *key)
{
    return !key->is_required && !ctl_template_is_refresh_token(element, key);
}

static bool ctl_template_has_required(const CtlElement *element)
{
    for (size_t i = 0; i < element->n_keys; i++)
        if (element->keys[i].is_required)
            return true;
    return ctl_template_needs_refresh_token(element);
}

/* Optional keys stand before the others, so that each may be uncommented as it is; where there are others. */
static void ctl_template_print_optional(CtlTemplate *template)
{
    const CtlElement *element = template->element;
    bool has_required = ctl_template_has_required(element);
    size_t n = 0;

    for (size_t i = 0; i < element->n_keys; i++)
        n += ctl_template_is_optional(element, &element->keys[i]);
    if (n == 0 || !template->has_comments)
        return;
    ctl_template_comment(template, "    ",
                         has_required ? "Optional:"
                                      : "Optional (the last that you use, without a comma):");
    for (size_t i = 0; i < element->n_keys; i++) {
        if (!ctl_template_is_optional(element, &element->keys[i]))
            continue;
        ctl_output_printf(template->output, "    // ");
        ctl_template_print_member(template, &element->keys[i]);
        ctl_output_printf(template->output, --n > 0 || has_required ? ",\n" : "\n");
    }
}

static void ctl_template_print_required(CtlTemplate *template, const CtlElementKey *key)
{
    ctl_output_printf(template->output, "%s    ", template->needs_comma ? ",\n" : "");
    ctl_template_print_member(template, key);
    template->needs_comma = true;
}

static void ctl_template_print_configuration(CtlTemplate *template)
{
    static const CtlElementKey refresh_token = {
        .name = {CTL_TEMPLATE_REFRESH_TOKEN, sizeof(CTL_TEMPLATE_REFRESH_TOKEN) - 1},
        .is_required = true,
        .is_secret = true,
    };
    const CtlElement *element = template->element;

    ctl_output_printf(template->output, "  \"configuration\": {\n");
    ctl_template_print_optional(template);
    for (size_t i = 0; i < element->n_keys; i++)
        if (element->keys[i].is_required &&
            !ctl_template_is_refresh_token(element, &element->keys[i]))
            ctl_template_print_required(template, &element->keys[i]);
    if (ctl_template_needs_refresh_token(element))
        ctl_template_print_required(template, &refresh_token);
    ctl_output_printf(template->output, "%s  },\n", template->needs_comma ? "\n" : "");
}

/* What OAuth needs beside the configuration. */
static void ctl_template_print_oauth(CtlTemplate *template)
{
    if (ctl_template_needs_refresh_token(template->element)) {
        ctl_template_comment(
            template, "  ",
            "OAuth without a browser, by a refresh token that the vendor gave you before.");
        ctl_output_printf(template->output, "  \"externalAuthentication\": \"initial\",\n");
    }
    if (ctl_template_is(template->element->authentication, "oauth1")) {
        ctl_template_comment(
            template, "  ",
            "OAuth 1: the platform also wants \"providerData\" with what the vendor gave you at the "
            "end of its");
        ctl_template_comment(template, "  ",
                             "sign-in; see the platform's documentation of this element.");
    }
}

static CtlStatus ctl_template_print(const Ctl *ctl, const CtlElement *element)
{
    _cleanup_(ctl_output_deinit) CtlOutput output;
    CtlTemplate template = {
        .output = &output,
        .element = element,
        .has_comments = !ctl_options_has(&ctl->options, CTL_OPTION_JSON),
    };

    ctl_output_init(&output, ctl);
    ctl_template_print_head(&template);
    ctl_output_printf(&output, "{\n  \"element\": { \"key\": ");
    ctl_template_print_string(&template, element->key);
    ctl_output_printf(&output, " },\n");
    ctl_template_comment(&template, "  ", "What the platform shows to people.");
    ctl_output_printf(&output, "  \"name\": \"<INSERT_NAME>\",\n");
    ctl_template_print_oauth(&template);
    ctl_template_print_configuration(&template);
    ctl_template_comment(&template, "  ", "For elementd; the platform does not see this.");
    ctl_output_printf(&output, "  \"elementd\": {\n    \"account\": \"%s\",\n", element->account);
    ctl_template_comment(
        &template, "    ",
        "Who may have the token, beside root: user:NAME, group:NAME, unit:GLOB, any.");
    ctl_output_printf(&output, "    \"allow\": [ \"user:<INSERT_USER>\" ],\n");
    ctl_template_comment(
        &template, "    ",
        "When this file is removed: \"keep\" the instance on the platform, or \"delete\" it.");
    ctl_output_printf(&output, "    \"on-remove\": \"keep\"\n  }\n}\n");
    return ctl_output_end(&output);
}

/* ---- the catalogue ---- */

static const char *const ctl_template_titles[] = {"ELEMENT", "AUTHENTICATION", "NAME"};

static void ctl_template_add(CtlTable *table, ElementText text)
{
    char *copy = strndup(text.text, text.size);

    if (copy)
        ctl_table_add(table, copy, CTL_COLOUR_NONE);
    else if (table->error == 0)
        table->error = -ENOMEM;
    free(copy);
}

static void ctl_template_list_table(const Ctl *ctl, CtlOutput *output)
{
    _cleanup_(ctl_table_deinit) CtlTable table;
    const char *cursor = NULL;
    Element element;

    ctl_table_init(&table, ctl_template_titles, N_ELEMENTS(ctl_template_titles));
    while (element_next(&cursor, &element)) {
        ctl_template_add(&table, element.key);
        ctl_template_add(&table, element.authentication);
        ctl_template_add(&table, element.name);
    }
    ctl_table_print(&table, ctl->width, output);
}

static void ctl_template_write_list(JsonWriter *json, const char *name, ElementText list)
{
    ElementText key;

    json_writer_key(json, name);
    json_writer_open_array(json);
    while (element_next_key(&list, &key))
        json_writer_text(json, key.text, key.size);
    json_writer_close_array(json);
}

static void ctl_template_list_json(CtlOutput *output)
{
    JsonWriter *json = ctl_output_begin_json(output);
    const char *cursor = NULL;
    Element element;

    json_writer_open_array(json);
    while (element_next(&cursor, &element)) {
        json_writer_open_object(json);
        json_writer_key(json, "key");
        json_writer_text(json, element.key.text, element.key.size);
        json_writer_key(json, "name");
        json_writer_text(json, element.name.text, element.name.size);
        json_writer_key(json, "authentication");
        json_writer_text(json, element.authentication.text, element.authentication.size);
        ctl_template_write_list(json, "required", element.required);
        ctl_template_write_list(json, "optional", element.optional);
        ctl_template_write_list(json, "secret", element.secret);
        json_writer_close_object(json);
    }
    json_writer_close_array(json);
    ctl_output_end_json(output);
}

static CtlStatus ctl_template_list(const Ctl *ctl)
{
    _cleanup_(ctl_output_deinit) CtlOutput output;

    ctl_output_init(&output, ctl);
    if (ctl_options_has(&ctl->options, CTL_OPTION_JSON))
        ctl_template_list_json(&output);
    else
        ctl_template_list_table(ctl, &output);
    return ctl_output_end(&output);
}

/* ---- the command ---- */

CtlStatus ctl_template(const Ctl *ctl)
{
    _cleanup_(ctl_element_deinit) CtlElement element = {};
    const char *option = ctl_options_name(ctl->options.given & CTL_TEMPLATE_ASKING);
    CtlStatus status;

    if (ctl->n_arguments == 0 && option) {
        ctl_failure_say("template takes --%s with ELEMENT only; see: elementctl --help", option);
        return CTL_OTHER;
    }
    if (ctl->n_arguments == 0)
        return ctl_template_list(ctl);
    if (ctl_options_has(&ctl->options, CTL_OPTION_LIST)) {
        ctl_failure_say("template takes ELEMENT or --list, not both; see: elementctl --help");
        return CTL_OTHER;
    }
    status = ctl_element_find(ctl, ctl->arguments[0], &element);
    return status == CTL_OK ? ctl_template_print(ctl, &element) : status;
}
