#include "ipc/client/ctl_text.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* The character that `text` begins with, and how many bytes it has; 0: it is not UTF-8. `text` is not "". */
static size_t ctl_text_decode(const char *text, uint32_t *ret_character)
{
    return utf8_decode(text, strnlen(text, 4), ret_character);
}

int ctl_text_append(Buffer *buffer, const char *text)
{
    while (*text) {
        uint32_t character;
        size_t size = ctl_text_decode(text, &character);
        bool is_plain = size > 0 && !utf8_is_control(character);
        int r = buffer_append(buffer, is_plain ? text : "?", is_plain ? size : 1);

        if (r != 0)
            return r;
        text += size > 0 ? size : 1;
    }
    return 0;
}

int ctl_text_append_json(Buffer *buffer, const char *json, size_t size)
{
    const char *end = json + size;

    while (json < end) {
        uint32_t character;
        size_t n = utf8_decode(json, (size_t)(end - json), &character);
        int r;

        /* All that is not ASCII stands within a string, where an escape is the same. */
        if (n > 0 && *json != '\n' && utf8_is_control(character))
            r = buffer_printf(buffer, "\\u%04x", character);
        else
            r = buffer_append(buffer, json, n > 0 ? n : 1);
        if (r != 0)
            return r;
        json += n > 0 ? n : 1;
    }
    return 0;
}

bool ctl_text_is_plain(const char *text)
{
    while (*text) {
        uint32_t character;
        size_t size = ctl_text_decode(text, &character);

        if (size == 0 || utf8_is_control(character))
            return false;
        text += size;
    }
    return true;
}

size_t ctl_text_cut(const char *text, size_t width)
{
    const char *at = text;

    while (*at && width > 0) {
        uint32_t character;
        size_t size = ctl_text_decode(at, &character);

        at += size > 0 ? size : 1;
        width--;
    }
    return (size_t)(at - text);
}

size_t ctl_text_width(const char *text)
{
    size_t width = 0;

    for (; *text; width++)
        text += ctl_text_cut(text, 1);
    return width;
}
