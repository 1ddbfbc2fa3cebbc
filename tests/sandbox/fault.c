#include "tests/sandbox/fault.h"

#include <assert.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_value.h"
#include "tests/sandbox/fault_action.h"

struct FaultRule {
    unsigned n_refs;
    FaultRule *next;
    uint64_t id;
    Arena arena;               /* of the document, from which the rest borrows */
    const JsonValue *document; /* as it was given */
    const char *method;        /* globs; NULL: any */
    const char *path;
    const char *query;
    const char *element;
    const char *name;
    int64_t count; /* still to be applied; -1: for ever */
    int64_t skip;  /* still to be passed over */
    const char *action_name;
    const FaultAction *action;
    uint64_t n_applied;
    FaultParameters parameters;
};

#define FAULT_AT(member) offsetof(FaultRule, member)

static const Field fault_fields[] = {
    {"method", FIELD_TEXT, false, FAULT_AT(method), 0, 0, NULL},
    {"path", FIELD_TEXT, false, FAULT_AT(path), 0, 0, NULL},
    {"query", FIELD_TEXT, false, FAULT_AT(query), 0, 0, NULL},
    {"element", FIELD_TEXT, false, FAULT_AT(element), 0, 0, NULL},
    {"name", FIELD_TEXT, false, FAULT_AT(name), 0, 0, NULL},
    {"count", FIELD_INT, false, FAULT_AT(count), -1, INT64_MAX, NULL},
    {"skip", FIELD_INT, false, FAULT_AT(skip), 0, INT64_MAX, NULL},
    {"action", FIELD_TEXT, true, FAULT_AT(action_name), 0, 0, NULL},
    {},
};

/* ---- life ---- */

static FaultRule *fault_unref(FaultRule *rule)
{
    if (!rule)
        return NULL;
    assert(rule->n_refs > 0);
    if (--rule->n_refs == 0) {
        buffer_deinit(&rule->parameters.content);
        arena_deinit(&rule->arena);
        free(rule);
    }
    return NULL;
}

DEFINE_FREEP(FaultRule, fault_unref)

/* The rule has its document to itself, however many came in one request. */
static int fault_copy_document(FaultRule *rule, const JsonValue *object)
{
    Buffer text = BUFFER_INIT(FAULT_RULE_BYTES_MAX);
    JsonValue *document;
    JsonWriter writer;
    int r;

    json_writer_begin(&writer, &text);
    json_writer_value(&writer, object);
    r = json_writer_end(&writer);
    if (r == 0) {
        arena_init(&rule->arena, json_value_arena_max(buffer_size(&text)));
        r = json_value_parse(&rule->arena, buffer_data(&text), buffer_size(&text), 0, &document,
                             NULL);
    }
    buffer_deinit(&text);
    if (r != 0)
        return -ENOMEM;
    rule->document = document;
    return 0;
}

static int fault_fail_action(FieldsError *error, const char *name)
{
    char names[384];

    fault_action_list(names, sizeof(names));
    (void)snprintf(error->message, sizeof(error->message), "Unknown action \"%.64s\"; known are %s",
                   name, names);
    return FIELDS_E_INVALID;
}

/* The document's keys into the rule: those of every rule here, those of its action there. */
static int fault_read(FaultRule *rule, FieldsError *ret_error)
{
    const JsonValue *action = json_value_find(rule->document, "action");
    FieldsTarget targets[2];
    int r;

    if (!json_value_is_text(action)) {
        (void)snprintf(ret_error->message, sizeof(ret_error->message),
                       "\"action\" is missing or not a string");
        return FIELDS_E_INVALID;
    }
    rule->action = fault_action_find(action->text);
    if (!rule->action)
        return fault_fail_action(ret_error, action->text);
    targets[0] = (FieldsTarget){fault_fields, rule};
    targets[1] = (FieldsTarget){rule->action->fields, &rule->parameters};
    r = fields_read(rule->document, targets, 2, ret_error);
    if (r == 0 && rule->action->prepare)
        r = rule->action->prepare(&rule->parameters, ret_error);
    return r;
}

int fault_add(Faults *faults, const JsonValue *object, uint64_t *ret_id, FieldsError *ret_error)
{
    _cleanup_(fault_unrefp) FaultRule *rule = NULL;
    int r;

    if (faults->n_rules == FAULT_RULES_MAX) {
        (void)snprintf(ret_error->message, sizeof(ret_error->message), "There are %d rules already",
                       FAULT_RULES_MAX);
        return FIELDS_E_INVALID;
    }
    rule = calloc(1, sizeof(*rule));
    if (!rule)
        return -ENOMEM;
    rule->n_refs = 1;
    rule->count = 1;
    buffer_init(&rule->parameters.content, FAULT_BYTES_MAX + 2);
    r = fault_copy_document(rule, object);
    if (r == 0)
        r = fault_read(rule, ret_error);
    if (r != 0)
        return r;
    rule->id = ++faults->n_added;
    *ret_id = rule->id;
    if (faults->last)
        faults->last->next = rule;
    else
        faults->first = rule;
    faults->last = TAKE_PTR(rule);
    faults->n_rules++;
    return 0;
}

bool fault_remove(Faults *faults, uint64_t id)
{
    FaultRule *previous = NULL;

    for (FaultRule *rule = faults->first; rule; previous = rule, rule = rule->next) {
        if (rule->id != id)
            continue;
        if (previous)
            previous->next = rule->next;
        else
            faults->first = rule->next;
        if (faults->last == rule)
            faults->last = previous;
        faults->n_rules--;
        (void)fault_unref(rule);
        return true;
    }
    return false;
}

void fault_clear(Faults *faults)
{
    while (faults->first)
        (void)fault_remove(faults, faults->first->id);
}

/* ---- matching ---- */

static bool fault_glob(const char *glob, const char *text)
{
    return !glob || (text && fnmatch(glob, text, 0) == 0);
}

static bool fault_matches(const FaultRule *rule, const FaultSubject *subject)
{
    return fault_glob(rule->method, subject->method) && fault_glob(rule->path, subject->path) &&
           fault_glob(rule->query, subject->query) && fault_glob(rule->element, subject->element) &&
           fault_glob(rule->name, subject->name);
}

void fault_plan(Faults *faults, const FaultSubject *subject, FaultPlan *ret_plan)
{
    FaultPlan *plan = ret_plan;

    for (FaultRule *rule = faults->first; rule; rule = rule->next) {
        if (rule->count == 0 || (plan->groups & rule->action->group) ||
            plan->n_rules == FAULT_PLAN_RULES_MAX || !fault_matches(rule, subject))
            continue;
        if (rule->skip > 0) {
            rule->skip--;
            continue;
        }
        if (rule->count > 0)
            rule->count--;
        rule->n_applied++;
        rule->n_refs++;
        plan->rules[plan->n_rules++] = rule;
        plan->groups |= rule->action->group;
        rule->action->apply(&rule->parameters, plan);
    }
}

void fault_plan_deinit(FaultPlan *plan)
{
    for (size_t i = 0; i < plan->n_rules; i++)
        (void)fault_unref(plan->rules[i]);
    http_answer_deinit(&plan->delivery);
    *plan = FAULT_PLAN_INIT;
}

void fault_write(JsonWriter *writer, const Faults *faults)
{
    json_writer_open_array(writer);
    for (const FaultRule *rule = faults->first; rule; rule = rule->next) {
        json_writer_open_object(writer);
        json_writer_key(writer, "id");
        json_writer_uint(writer, rule->id);
        json_writer_key(writer, "applied");
        json_writer_uint(writer, rule->n_applied);
        json_writer_key(writer, "left");
        json_writer_int(writer, rule->count);
        json_writer_key(writer, "rule");
        json_writer_value(writer, rule->document);
        json_writer_close_object(writer);
    }
    json_writer_close_array(writer);
}
