#pragma once

/*
 * Fault actions: the table of what a rule can do, with the parameters of each.
 */

#include "tests/sandbox/fault.h"

/* Of one group a request meets one rule. */
typedef enum FaultGroup {
    FAULT_GROUP_DELAY = 1 << 0,
    FAULT_GROUP_DELAY_AFTER = 1 << 1,
    FAULT_GROUP_OUTCOME = 1 << 2,
    FAULT_GROUP_HEADER = 1 << 3,
    FAULT_GROUP_LENGTH = 1 << 4,
    FAULT_GROUP_CODING = 1 << 5,
    FAULT_GROUP_FILLER = 1 << 6,
    FAULT_GROUP_RATE = 1 << 7,
    FAULT_GROUP_TOKEN = 1 << 8,
    FAULT_GROUP_ID = 1 << 9,
    FAULT_GROUP_TAGS = 1 << 10,
    FAULT_GROUP_DESCRIPTION = 1 << 11,
    FAULT_GROUP_PAGE = 1 << 12,
} FaultGroup;

/* The parameters of all actions. */
typedef struct FaultParameters {
    int64_t ms;
    int64_t status;
    int64_t bytes;
    int64_t mib;
    int64_t bytes_per_sec;
    int64_t size;
    int when; /* 0 before, 1 after */
    int how;  /* 0 reset, 1 close, 2 hang */
    bool is_committed;
    bool is_last_omitted;
    const char *message;
    const char *provider_message;
    const char *content_type;
    const char *location;
    const char *raw;
    const char *base64;
    const JsonValue *text;
    const JsonValue *headers;
    const JsonValue *value;

    Buffer content; /* what text, base64, raw or size make; empty with none of them */
    bool has_content;
} FaultParameters;

typedef struct FaultAction {
    const char *name;
    FaultGroup group;
    const Field *fields;
    /* Turns text, base64, raw and size into content; NULL: the action has none. */
    int (*prepare)(FaultParameters *parameters, FieldsError *ret_error);
    void (*apply)(const FaultParameters *parameters, FaultPlan *plan);
} FaultAction;

/* NULL when there is none. */
const FaultAction *fault_action_find(const char *name);

/* All names, for a message. */
void fault_action_list(char *ret_names, size_t size);
