/*
 * elementctl template: an instance file to fill in, from the catalogue of elements.
 *
 * It is JSON with comments, line by line; --json leaves out the comments, and the optional keys, which are comments.
 * What has to be filled in is a placeholder that the configuration's checker reports until it is gone. Secrets are
 * references already, so that none is typed into the file.
 */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/element.h"
#include "ipc/client/ctl_failure.h"
#include "ipc/client/ctl_output.h"
#include "ipc/client/ctl_table.h"

/* So many elements are named where none has the key that was asked for. */
#define CTL_TEMPLATE_NEAR_MAX 5

/* OAuth without a browser: with this key beside "externalAuthentication". */
#define CTL_TEMPLATE_REFRESH_TOKEN "oauth.user.refresh_token"

typedef struct CtlTemplate {
    CtlOutput *output;
    const Element *element;
    bool has_comments;
    bool needs_comma; /* before the next member */
} CtlTemplate;

static bool ctl_template_is(ElementText text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.text, word, text.size) == 0;
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
    ctl_output_printf(template->output, "<INSERT_");
    for (size_t i = 0; i < key.size; i++) {
        unsigned char c = (unsigned char)key.text[i];

        ctl_output_printf(template->output, "%c", isalnum(c) ? toupper(c) : '_');
    }
    ctl_output_printf(template->output, ">");
}

static void ctl_template_print_value(CtlTemplate *template, ElementText key, bool is_secret)
{
    ctl_output_printf(template->output, "\"%.*s\": \"", ELEMENT_PRINT(key));
    if (is_secret)
        ctl_output_printf(template->output, "${credential:%.*s-%.*s}",
                          ELEMENT_PRINT(template->element->key), ELEMENT_PRINT(key));
    else
        ctl_template_print_placeholder(template, key);
    ctl_output_printf(template->output, "\"");
}

static void ctl_template_print_member(CtlTemplate *template, ElementText key, bool is_secret)
{
    ctl_output_printf(template->output, "%s    ", template->needs_comma ? ",\n" : "");
    ctl_template_print_value(template, key, is_secret);
    template->needs_comma = true;
}

/* Whether OAuth's own way to sign in has to be replaced by one that needs no browser. */
static bool ctl_template_needs_refresh_token(const Element *element)
{
    return ctl_template_is(element->authentication, "oauth2");
}

/* How the first secret is made; the others go the same way. */
static void ctl_template_print_secrets(CtlTemplate *template)
{
    const Element *element = template->element;
    ElementText list = element->secret, key;

    if (!element_next_key(&list, &key) || !template->has_comments)
        return;
    ctl_output_printf(
        template->output,
        "//\n"
        "// Secrets stay out of this file: each ${credential:NAME} is a credential of elementd.service. To make one, as "
        "root\n"
        "// (an instance more of this element needs other names):\n"
        "//     systemd-creds encrypt --name=%1$.*2$s-%3$.*4$s - /etc/credstore.encrypted/%1$.*2$s-%3$.*4$s\n"
        "// and pass it on, by a line in /etc/systemd/system/elementd.service.d/%1$.*2$s.conf, below [Service]:\n"
        "//     LoadCredentialEncrypted=%1$.*2$s-%3$.*4$s:/etc/credstore.encrypted/%1$.*2$s-%3$.*4$s\n"
        "// Then: systemctl daemon-reload && systemctl restart elementd\n",
        element->key.text, (int)element->key.size, key.text, (int)key.size);
}

static void ctl_template_print_head(CtlTemplate *template)
{
    const Element *element = template->element;

    if (!template->has_comments)
        return;
    ctl_output_printf(
        template->output,
        "// %.*s, for elementd. Replace each <INSERT_...> and save this as /etc/elementd/instances.d/NAME.json;\n"
        "// NAME is what programs will ask for. Then, as root:\n"
        "//     chgrp elementd NAME.json && chmod 0640 NAME.json && elementctl check\n"
        "//\n"
        "// The keys are those of the platform's documentation (authentication: %.*s). The platform may ask for others "
        "by\n"
        "// now; then creating the instance fails, and elementctl status NAME tells what it wants.\n",
        ELEMENT_PRINT(element->name), ELEMENT_PRINT(element->authentication));
    ctl_template_print_secrets(template);
}

/* Optional keys stand before the others, so that each may be uncommented as it is. */
static void ctl_template_print_optional(CtlTemplate *template)
{
    ElementText list = template->element->optional, key;

    if (list.size == 0 || !template->has_comments)
        return;
    ctl_template_comment(template, "    ", "Optional:");
    while (element_next_key(&list, &key)) {
        ctl_output_printf(template->output, "    // ");
        ctl_template_print_value(template, key, element_has_secret(template->element, key));
        ctl_output_printf(template->output, ",\n");
    }
}

static void ctl_template_print_configuration(CtlTemplate *template)
{
    ElementText list = template->element->required, key;
    static const ElementText refresh_token = {CTL_TEMPLATE_REFRESH_TOKEN,
                                              strlen(CTL_TEMPLATE_REFRESH_TOKEN)};

    ctl_output_printf(template->output, "  \"configuration\": {\n");
    ctl_template_print_optional(template);
    while (element_next_key(&list, &key))
        ctl_template_print_member(template, key, element_has_secret(template->element, key));
    if (ctl_template_needs_refresh_token(template->element))
        ctl_template_print_member(template, refresh_token, true);
    ctl_output_printf(template->output, "\n  },\n");
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

static CtlStatus ctl_template_print(const Ctl *ctl, const Element *element)
{
    _cleanup_(ctl_output_deinit) CtlOutput output;
    CtlTemplate template = {
        .output = &output,
        .element = element,
        .has_comments = !ctl_options_has(&ctl->options, CTL_OPTION_JSON),
    };

    ctl_output_init(&output, ctl);
    ctl_template_print_head(&template);
    ctl_output_printf(&output, "{\n  \"element\": { \"key\": \"%.*s\" },\n",
                      ELEMENT_PRINT(element->key));
    ctl_template_comment(&template, "  ", "What the platform shows to people.");
    ctl_output_printf(&output, "  \"name\": \"<INSERT_NAME>\",\n");
    ctl_template_print_oauth(&template);
    ctl_template_print_configuration(&template);
    ctl_template_comment(&template, "  ", "For elementd; the platform does not see this.");
    ctl_output_printf(&output, "  \"elementd\": {\n    \"account\": \"default\",\n");
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

static CtlStatus ctl_template_report_unknown(const char *word)
{
    _cleanup_(buffer_deinit) Buffer words = BUFFER_INIT(4096);
    Element near[CTL_TEMPLATE_NEAR_MAX];
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

CtlStatus ctl_template(const Ctl *ctl)
{
    bool is_list = ctl_options_has(&ctl->options, CTL_OPTION_LIST);
    Element element;

    if (ctl->n_arguments == 0)
        return ctl_template_list(ctl);
    if (is_list) {
        ctl_failure_say("template takes ELEMENT or --list, not both; see: elementctl --help");
        return CTL_OTHER;
    }
    if (!element_find(ctl->arguments[0], &element))
        return ctl_template_report_unknown(ctl->arguments[0]);
    return ctl_template_print(ctl, &element);
}
