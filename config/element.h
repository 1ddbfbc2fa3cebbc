#pragma once

/*
 * Element: the catalogue of elements, with the configuration keys that the platform's documentation asks for.
 *
 * Built in (config/elements.tsv says where the facts come from), and good for templates only: what an element needs
 * changes, and the platform knows. Pure; reads no file and allocates nothing. All texts are parts of the catalogue,
 * static, without a NUL behind them.
 */

#include <stdbool.h>
#include <stddef.h>

typedef struct ElementText {
    const char *text;
    size_t size;
} ElementText;

typedef struct Element {
    ElementText key;            /* what "element.key" of an instance says */
    ElementText name;           /* for people */
    ElementText authentication; /* "basic", "apikey", "oauth1", "oauth2", "custom" */
    ElementText required;       /* lists of configuration keys: element_next_key() */
    ElementText optional;
    ElementText secret; /* those of both whose values look as if they were secrets */
} Element;

/* For printf's "%.*s". */
#define ELEMENT_PRINT(part) (int)(part).size, (part).text

/* Steps through the catalogue, by key; *cursor is NULL before the first. false: there are no more. */
bool element_next(const char **cursor, Element *ret_element);

/* The element of exactly that key. false: there is none. */
bool element_find(const char *key, Element *ret_element);

/* Those whose key or name somebody may have meant by `word`: the nearest first, `max` at most. Returns how many. */
size_t element_find_near(const char *word, size_t max, Element ret_near[]);

/* Takes the next key off `list`. false: there are no more. */
bool element_next_key(ElementText *list, ElementText *ret_key);

bool element_has_secret(const Element *element, ElementText key);
