#pragma once

/*
 * Catalogue: the elements that the platform knows, and the configuration that each asks for.
 *
 * A handful is built in, with plausible keys; requirements can be changed and elements added, since on
 * the platform they drift too. An element's address stays the same until the catalogue is freed.
 *
 * Limits: CATALOGUE_*_MAX
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/json_writer.h"

/* The platform has about 200. */
#define CATALOGUE_ELEMENTS_MAX 1024
#define CATALOGUE_KEYS_MAX     64

typedef struct ElementKey {
    char *key;
    const char *type; /* static */
    bool is_required;
    char *default_value; /* NULL: none */
} ElementKey;

typedef struct Element {
    int id;
    char *key;
    char *name;
    ElementKey keys[CATALOGUE_KEYS_MAX];
    size_t n_keys;
} Element;

typedef struct Catalogue {
    Element *elements[CATALOGUE_ELEMENTS_MAX];
    size_t n_elements;
} Catalogue;

enum {
    CATALOGUE_E_FULL = 1,
};

/* Fills in what is built in. 0 or -ENOMEM; release with catalogue_deinit() either way. */
int catalogue_init(Catalogue *catalogue);
void catalogue_deinit(Catalogue *catalogue);

/* By key, or by the number that is its id; NULL when there is none. Borrowed. */
Element *catalogue_find(const Catalogue *catalogue, const char *key);

/* As catalogue_find(), but makes it where it is unknown. 0, CATALOGUE_E_FULL or -ENOMEM. */
int catalogue_obtain(Catalogue *catalogue, const char *key, Element **ret_element);

/* Makes exactly `keys` (an array of strings) required, without defaults. 0, CATALOGUE_E_FULL or -ENOMEM. */
int catalogue_require(Element *element, const JsonValue *keys);

/* What the person must supply and `configuration` (may be NULL) has not: the next key from *index on, or NULL. */
const ElementKey *catalogue_next_missing(const Element *element, const JsonValue *configuration,
                                         size_t *index);

/* The array that GET /elements/{key}/configuration answers. */
void catalogue_write_configuration(JsonWriter *writer, const Element *element);
