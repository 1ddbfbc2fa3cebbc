#pragma once

/*
 * Element: what a template is made of: the platform's own answer, by way of elementd, where it can be asked; else the
 * catalogue, and why it had to be that.
 */

#include "config/element.h"
#include "ipc/client/ctl_call.h"

/* What an element has no more keys than; elementd passes on 256. */
#define CTL_ELEMENT_KEYS_MAX 1024

typedef struct CtlElementKey {
    ElementText name;
    bool is_required;
    bool is_secret;
    const char *default_value; /* NULL: none is known */
} CtlElementKey;

/* Texts are borrowed from the catalogue, from the command line, or from `reply`. */
typedef struct CtlElement {
    ElementText key;
    ElementText name; /* for people; the key, where the catalogue does not know the element */
    ElementText authentication; /* as in the catalogue, or "" */
    CtlElementKey *keys;
    size_t n_keys;
    const char *account; /* by which the platform is asked */
    bool is_platform;    /* `keys` are what the platform says */
    char *reason;        /* why they are not; NULL: it was not to be asked */
    CtlReply reply;
} CtlElement;

/* The element whose key is `word`. CTL_OK, or what was said. Fine to deinit after either. */
CtlStatus ctl_element_find(const Ctl *ctl, const char *word, CtlElement *ret_element);
void ctl_element_deinit(CtlElement *element);
