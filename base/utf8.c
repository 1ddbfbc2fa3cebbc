#include "base/utf8.h"

#include <string.h>

#include "base/cleanup.h"

/* One row per length: the first byte's mark, and the smallest character that needs that length. */
typedef struct Utf8Form {
    unsigned char mask;
    unsigned char mark;
    uint32_t min;
} Utf8Form;

static const Utf8Form utf8_forms[] = {
    {0x80, 0x00, 0},
    {0xE0, 0xC0, 0x80},
    {0xF0, 0xE0, 0x800},
    {0xF8, 0xF0, 0x10000},
};

size_t utf8_decode(const char *text, size_t size, uint32_t *ret_character)
{
    const unsigned char *bytes = (const unsigned char *)text;

    for (size_t n = 1; n <= N_ELEMENTS(utf8_forms) && n <= size; n++) {
        const Utf8Form *form = &utf8_forms[n - 1];
        uint32_t character;

        if ((bytes[0] & form->mask) != form->mark)
            continue;
        character = bytes[0] & (unsigned char)~form->mask;
        for (size_t i = 1; i < n; i++) {
            if ((bytes[i] & 0xC0) != 0x80)
                return 0;
            character = character << 6 | (bytes[i] & 0x3F);
        }
        if (character < form->min || character > 0x10FFFF ||
            (character >= 0xD800 && character <= 0xDFFF))
            return 0;
        *ret_character = character;
        return n;
    }
    return 0;
}

size_t utf8_prefix(const char *text, size_t size)
{
    size_t i = 0;

    while (i < size) {
        uint64_t ahead;
        uint32_t character;
        size_t n;

        /* Nearly all texts are ASCII: eight bytes at once, whose top bits tell. */
        if (size - i >= sizeof(ahead)) {
            memcpy(&ahead, text + i, sizeof(ahead));
            if ((ahead & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(ahead);
                continue;
            }
        }
        n = (unsigned char)text[i] < 0x80 ? 1 : utf8_decode(text + i, size - i, &character);
        if (n == 0)
            break;
        i += n;
    }
    return i;
}

bool utf8_is_valid(const char *text, size_t size)
{
    return utf8_prefix(text, size) == size;
}

typedef struct Utf8Range {
    uint32_t first;
    uint32_t last;
} Utf8Range;

static const Utf8Range utf8_controls[] = {
    {0x00, 0x1F},     /* C0 */
    {0x7F, 0x9F},     /* DEL and C1 */
    {0x200B, 0x200F}, /* of no width, and marks of direction */
    {0x2028, 0x202E}, /* ends of lines and paragraphs, embedded directions */
    {0x2066, 0x2069}, /* isolated directions */
    {0xFEFF, 0xFEFF}, /* byte order mark */
};

bool utf8_is_control(uint32_t character)
{
    for (size_t i = 0; i < N_ELEMENTS(utf8_controls); i++)
        if (character >= utf8_controls[i].first && character <= utf8_controls[i].last)
            return true;
    return false;
}
