#pragma once

/*
 * Faults: rules by which the sandbox misbehaves.
 *
 * A rule says which requests it is about, how often, and one action. The rules that match a request make
 * its plan together, in the order in which they were added, one of each group of actions: a second rule of
 * a group that is taken waits for the next request, so that two "status" rules answer two requests.
 *
 * Limits: FAULT_*_MAX
 */

#include "tests/sandbox/fields.h"
#include "tests/sandbox/http_answer.h"
#include "tests/sandbox/instance.h"

#define FAULT_RULES_MAX 10000

/* A rule's document, as large as a request to the control interface may be. */
#define FAULT_RULE_BYTES_MAX (8 * 1024 * 1024)

/* What "token": {"size": …} and such may make. */
#define FAULT_BYTES_MAX ((size_t)64 * 1024 * 1024)

/* Rules that one request may meet: one of each group. */
#define FAULT_PLAN_RULES_MAX 16

typedef struct FaultRule FaultRule;

typedef struct Faults {
    FaultRule *first;
    FaultRule *last;
    size_t n_rules;
    uint64_t n_added;
} Faults;

/* What a rule looks at; all borrowed, NULL where there is none. */
typedef struct FaultSubject {
    const char *method;
    const char *path;  /* below the API's prefix */
    const char *query; /* as sent */
    const char *element;
    const char *name;
} FaultSubject;

typedef enum FaultEnd {
    FAULT_END_NONE,
    FAULT_END_HANG,
    FAULT_END_RESET,
    FAULT_END_CLOSE,
} FaultEnd;

/* What happens to one request. All zero: nothing. */
typedef struct FaultPlan {
    FaultRule *rules[FAULT_PLAN_RULES_MAX]; /* referenced: the rest borrows from them */
    size_t n_rules;
    unsigned groups; /* that are taken */

    usec_t delay;       /* before it is carried out */
    usec_t delay_after; /* between that and the answer */
    FaultEnd before;    /* how its connection ends before it is carried out … */
    FaultEnd after;     /* … or after it, without an answer */
    FaultEnd late;      /* how its connection ends at once, … */
    usec_t late_delay;  /* … with the request carried out so much later */

    unsigned status; /* instead of the platform's; 0: the platform's */
    bool is_refused; /* the request is not carried out at all */
    const char *message;
    const char *provider_message;
    const Buffer *body; /* instead of the platform's; NULL: the platform's */

    InstanceView view;
    HttpAnswer
        delivery; /* headers to add, and how the answer is sent; its body and status are not used */
} FaultPlan;

#define FAULT_PLAN_INIT ((FaultPlan){.delivery = HTTP_ANSWER_INIT})

void fault_plan_deinit(FaultPlan *plan);

/* Adds the rule that the object says. 0, FIELDS_E_INVALID with *ret_error, or -ENOMEM. */
int fault_add(Faults *faults, const JsonValue *object, uint64_t *ret_id, FieldsError *ret_error);

/* Whether there was one of that id. */
bool fault_remove(Faults *faults, uint64_t id);
void fault_clear(Faults *faults);

/* Uses up what matches. *ret_plan must be FAULT_PLAN_INIT. */
void fault_plan(Faults *faults, const FaultSubject *subject, FaultPlan *ret_plan);

/* An array of the rules as they were given, with their id and how often each was used. */
void fault_write(JsonWriter *writer, const Faults *faults);
