#pragma once

/*
 * Describer: asks the platform which configuration keys an element has, for whoever writes an instance file.
 *
 * One question at a time for each account, in the order in which they came; so whoever asks a lot is in nobody's way. It only
 * looks: an account that is paused is not asked, and what comes of a question pauses none. A reload that changes an account
 * has what is under way for it asked anew.
 *
 * Single-threaded, on the loop. That there is news is told by `wake`, once for all of it.
 *
 * Limits: DESCRIPTIONS_MAX, DESCRIBE_WAIT_USEC
 */

#include "daemon/registry.h"
#include "ipc/server_operations.h"

typedef struct Description Description;

TAILQ_HEAD(DescriptionList, Description);

typedef struct Describer {
    const Registry *registry;
    const Gates *gates;
    Engine *engine;
    void (*wake)(void *userdata);
    void *userdata;
    struct DescriptionList list; /* by number */
    unsigned n;
    uint64_t last_number;
    bool has_news;
} Describer;

/* All is borrowed, and must live as long as the describer. */
void describer_init(Describer *describer, const Registry *registry, const Gates *gates,
                    Engine *engine, void (*wake)(void *userdata), void *userdata);

/* Cancels what is under way. Fine on a zeroed one. */
void describer_deinit(Describer *describer);

/* For ServerOperations: describe(), find_description() and forget_description(). */
uint64_t describer_ask(Describer *describer, const char *element, const char *account);
const ServedDescription *describer_find(const Describer *describer, uint64_t number);
void describer_forget(Describer *describer, uint64_t number);

/* Another configuration is in use, with its gates. */
void describer_reloaded(Describer *describer);

/* Whether there are answers that were not there before. */
bool describer_take_news(Describer *describer);
