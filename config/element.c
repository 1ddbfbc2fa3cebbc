#include "config/element.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/schema.h"

/* The file, from the root of the sources, and a NUL. */
extern const char element_catalogue[] __attribute__((visibility("hidden")));
__asm__(".pushsection .rodata\nelement_catalogue:\n"
        ".incbin \"config/elements.tsv\"\n.byte 0\n.popsection\n");

/* More is no element's key, nor a slip of one. */
#define ELEMENT_WORD_MAX 64

static bool element_text_is(ElementText text, const char *other, size_t size)
{
    return text.size == size && memcmp(text.text, other, size) == 0;
}

/* ---- the catalogue ---- */

/* Takes the part of *text up to `end`, or all of it, off its begin. */
static ElementText element_take(ElementText *text, char end)
{
    const char *at = memchr(text->text, end, text->size);
    ElementText part = {text->text, at ? (size_t)(at - text->text) : text->size};
    size_t used = part.size + (at ? 1 : 0);

    text->text += used;
    text->size -= used;
    return part;
}

bool element_next(const char **cursor, Element *ret_element)
{
    const char *line = *cursor ? *cursor : element_catalogue;
    ElementText rest;

    while (*line == '#')
        line = strchrnul(line, '\n') + 1;
    if (*line == '\0')
        return false;
    rest = (ElementText){line, strcspn(line, "\n")};
    *cursor = line + rest.size + 1;
    *ret_element = (Element){};
    ret_element->key = element_take(&rest, '\t');
    ret_element->name = element_take(&rest, '\t');
    ret_element->authentication = element_take(&rest, '\t');
    ret_element->required = element_take(&rest, '\t');
    ret_element->optional = element_take(&rest, '\t');
    ret_element->secret = rest;
    return true;
}

bool element_find(const char *key, Element *ret_element)
{
    const char *cursor = NULL;
    Element element;

    while (element_next(&cursor, &element))
        if (element_text_is(element.key, key, strlen(key))) {
            *ret_element = element;
            return true;
        }
    return false;
}

/* ---- lists ---- */

bool element_next_key(ElementText *list, ElementText *ret_key)
{
    if (list->size == 0)
        return false;
    *ret_key = element_take(list, ',');
    return true;
}

bool element_has_secret(const Element *element, ElementText key)
{
    ElementText list = element->secret, secret;

    while (element_next_key(&list, &secret))
        if (element_text_is(key, secret.text, secret.size))
            return true;
    return false;
}

/* ---- what may have been meant ---- */

/* In small letters; what is too long is cut. Not tolower(): that is the locale's. */
static size_t element_fold(const char *text, size_t size, char ret_folded[static ELEMENT_WORD_MAX])
{
    if (size > ELEMENT_WORD_MAX)
        size = ELEMENT_WORD_MAX;
    for (size_t i = 0; i < size; i++)
        ret_folded[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
    return size;
}

/* How far `word`, folded, is from `text`; SIZE_MAX: it is another word. A part of it is as good as one slip. */
static size_t element_distance(const char *word, size_t word_size, ElementText text)
{
    char folded[ELEMENT_WORD_MAX];
    size_t size = element_fold(text.text, text.size, folded);
    size_t distance = schema_distance(word, word_size, folded, size);

    if (distance > 1 && word_size > 2 && memmem(folded, size, word, word_size))
        return 1;
    /* A third of it wrong is a slip; more is another word. */
    return distance <= (word_size < 6 ? 1 : word_size / 3) ? distance : SIZE_MAX;
}

size_t element_find_near(const char *word, size_t max, Element ret_near[])
{
    char folded[ELEMENT_WORD_MAX];
    size_t size = strlen(word), n = 0;
    const char *cursor = NULL;
    Element element;

    if (size == 0 || size > ELEMENT_WORD_MAX)
        return 0;
    size = element_fold(word, size, folded);
    for (size_t wanted = 0; wanted <= ELEMENT_WORD_MAX / 3 && n < max; wanted++) {
        cursor = NULL;
        while (n < max && element_next(&cursor, &element)) {
            size_t distance = element_distance(folded, size, element.key);
            size_t by_name = element_distance(folded, size, element.name);

            if ((distance < by_name ? distance : by_name) == wanted)
                ret_near[n++] = element;
        }
    }
    return n;
}
